"""What can be done during a fit, at its events: a file a purpose."""

from ...events import (
    Callback,
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    CancelValidateException,
)
from .checkpoint import CheckpointCallback
from .early_stopping import EarlyStoppingCallback
from .gradients import GradientAccumulation, GradientClip

__all__ = [
    "Callback",
    "CancelBatchException",
    "CancelEpochException",
    "CancelFitException",
    "CancelValidateException",
    "CheckpointCallback",
    "EarlyStoppingCallback",
    "GradientAccumulation",
    "GradientClip",
]
