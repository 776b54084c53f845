"""MANY steps: the Learner, its fits, their callbacks and their record."""

from .callbacks import Callback, CancelFitException, CheckpointCallback, EarlyStoppingCallback
from .estimator import EstimatorLearner, LRScheduleHandler, OneCycleHandler, ParamSchedulerHandler
from .learner import Learner
from .lr_find import SuggestedLRs
from .recorder import Recorder

__all__ = [
    "Callback",
    "CancelFitException",
    "CheckpointCallback",
    "EarlyStoppingCallback",
    "EstimatorLearner",
    "LRScheduleHandler",
    "Learner",
    "OneCycleHandler",
    "ParamSchedulerHandler",
    "Recorder",
    "SuggestedLRs",
]
