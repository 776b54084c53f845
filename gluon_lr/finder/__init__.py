"""WHICH rate to use: the learning-rate range test."""

from typing import Any, Callable

import lazy_loader

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

# Package gluon_lr.learner, a layer above this one, defines these. They are imported on first use.
SuggestedLRs: Any
lr_find: Callable[..., LRFinderResult]
__getattr__, _, _ = lazy_loader.attach(
    "gluon_lr", submod_attrs={"learner.lr_find": ["SuggestedLRs", "lr_find"]}
)

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
