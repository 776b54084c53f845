"""ONE STEP: from a batch to an update, on any number of contexts and workers."""

from ..events import CancelBatchException, CancelValidateException
from .iteration import IterationLearner
from .losses import PendingLoss

__all__ = ["CancelBatchException", "CancelValidateException", "IterationLearner", "PendingLoss"]
