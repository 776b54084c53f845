"""The learning-rate toolkit for Apache MXNet Gluon: which rate, and how it should move."""

from ._version import __version__
from .finder import LRFinder, LRFinderResult, LRFinderStoppingCriteria, StopReason
from .schedules import (
    CosineAnnealingSchedule,
    CosineScheduler,
    CyclicalSchedule,
    FactorScheduler,
    LinearCoolDown,
    LinearWarmUp,
    MultiFactorScheduler,
    OneCycleSchedule,
    PolyScheduler,
    Schedule,
    TriangularSchedule,
)
from .training import ContinuousBatchSampler, Learner, preserved

__all__ = [
    "ContinuousBatchSampler",
    "CosineAnnealingSchedule",
    "CosineScheduler",
    "CyclicalSchedule",
    "FactorScheduler",
    "LRFinder",
    "LRFinderResult",
    "LRFinderStoppingCriteria",
    "Learner",
    "LinearCoolDown",
    "LinearWarmUp",
    "MultiFactorScheduler",
    "OneCycleSchedule",
    "PolyScheduler",
    "Schedule",
    "StopReason",
    "TriangularSchedule",
    "__version__",
    "preserved",
]
