"""HOW to train: batches without end, one iteration at a time, by policies, and the way back."""

from .callbacks import Callback, CancelFitException, CheckpointCallback, EarlyStoppingCallback
from .checkpoint import load_checkpoint, save_checkpoint
from .handlers import EstimatorLearner, LRScheduleHandler, OneCycleHandler, ParamSchedulerHandler
from .hyper import HyperParameters
from .learner import Learner
from .policies import flat_cos, one_cycle, sgdr
from .recorder import Recorder
from .sampler import ContinuousBatchSampler
from .scheduling import ParamScheduler
from .snapshot import preserved
from .workers import Workers, WorkersLostError

__all__ = [
    "Callback",
    "CancelFitException",
    "CheckpointCallback",
    "ContinuousBatchSampler",
    "EarlyStoppingCallback",
    "EstimatorLearner",
    "HyperParameters",
    "LRScheduleHandler",
    "Learner",
    "OneCycleHandler",
    "ParamScheduler",
    "ParamSchedulerHandler",
    "Recorder",
    "Workers",
    "WorkersLostError",
    "flat_cos",
    "load_checkpoint",
    "one_cycle",
    "preserved",
    "save_checkpoint",
    "sgdr",
]
