"""WHICH rate to use: the learning-rate range test."""

from .finder import LRFinder
from .result import LRFinderResult, StopReason
from .stopping import (
    AllOf,
    AnyOf,
    Diverged,
    LRFinderStoppingCriteria,
    MaxIterations,
    MaxLR,
    NotFinite,
    SearchState,
    StoppingCriterion,
)
from .suggest import Refusal

__all__ = [
    "AllOf",
    "AnyOf",
    "Diverged",
    "LRFinder",
    "LRFinderResult",
    "LRFinderStoppingCriteria",
    "MaxIterations",
    "MaxLR",
    "NotFinite",
    "Refusal",
    "SearchState",
    "StopReason",
    "StoppingCriterion",
]
