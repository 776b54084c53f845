"""What FLOWS IN: batches, the share of each worker, and the place in the data."""

from .sampler import ContinuousBatchSampler

__all__ = ["ContinuousBatchSampler"]
