"""WHICH rate to use: the learning-rate range test."""

from .finder import LRFinder
from .result import LRFinderResult, StopReason
from .stopping import LRFinderStoppingCriteria

__all__ = ["LRFinder", "LRFinderResult", "LRFinderStoppingCriteria", "StopReason"]
