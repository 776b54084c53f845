"""MANY steps: the Learner, its fits, their callbacks and their record."""

from .callbacks import (
    Callback,
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    CancelValidateException,
    CheckpointCallback,
    EarlyStoppingCallback,
    GradientAccumulation,
    GradientClip,
)
from .estimator import EstimatorLearner, LRScheduleHandler, OneCycleHandler, ParamSchedulerHandler
from .learner import Learner
from .lr_find import SuggestedLRs
from .recorder import Recorder

__all__ = [
    "Callback",
    "CancelBatchException",
    "CancelEpochException",
    "CancelFitException",
    "CancelValidateException",
    "CheckpointCallback",
    "EarlyStoppingCallback",
    "EstimatorLearner",
    "GradientAccumulation",
    "GradientClip",
    "LRScheduleHandler",
    "Learner",
    "OneCycleHandler",
    "ParamSchedulerHandler",
    "Recorder",
    "SuggestedLRs",
]
