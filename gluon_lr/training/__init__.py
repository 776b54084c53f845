"""ONE STEP: from a batch to an update, on any number of contexts and workers."""

from .iteration import IterationLearner, PendingLoss

__all__ = ["IterationLearner", "PendingLoss"]
