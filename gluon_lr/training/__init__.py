"""HOW to train: batches without end, one iteration at a time, and the way back."""

from .learner import Learner
from .sampler import ContinuousBatchSampler
from .snapshot import preserved

__all__ = ["ContinuousBatchSampler", "Learner", "preserved"]
