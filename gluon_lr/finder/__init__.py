"""WHICH rate to use: the learning-rate range test."""

from typing import Any, Callable

from .comparison import Best, Compared, Comparison
from .finder import LRFinder
from .result import LRFinderResult, StopReason
from .stopping import (
    AboveBest,
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
from .tune_result import Trial, TuneResult

# The learner's room makes them: gluon_lr/__init__.py gives them to users here.
SuggestedLRs: Any
lr_find: Callable[..., LRFinderResult]

__all__ = [
    "AboveBest",
    "AllOf",
    "AnyOf",
    "Best",
    "Compared",
    "Comparison",
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
    "SuggestedLRs",
    "Trial",
    "TuneResult",
    "lr_find",
]
