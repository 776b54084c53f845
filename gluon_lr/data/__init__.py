"""What FLOWS IN: batches, their shares among workers, and the place in the data."""

from .sampler import ContinuousBatchSampler

__all__ = ["ContinuousBatchSampler"]
