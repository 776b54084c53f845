"""WHAT rate at update n: pure curves on `mx.lr_scheduler.LRScheduler`."""

from .base import Schedule
from .compose import LinearCoolDown, LinearWarmUp
from .cycle import (
    CosineAnnealingSchedule,
    CyclicalSchedule,
    OneCycleSchedule,
    TriangularSchedule,
)
from .decay import CosineScheduler, FactorScheduler, MultiFactorScheduler, PolyScheduler

__all__ = [
    "CosineAnnealingSchedule",
    "CosineScheduler",
    "CyclicalSchedule",
    "FactorScheduler",
    "LinearCoolDown",
    "LinearWarmUp",
    "MultiFactorScheduler",
    "OneCycleSchedule",
    "PolyScheduler",
    "Schedule",
    "TriangularSchedule",
]
