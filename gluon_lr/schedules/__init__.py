"""WHAT rate at update n: pure curves on `mx.lr_scheduler.LRScheduler`."""

from .base import Schedule
from .compose import (
    ClippedSchedule,
    ConstantWarmUp,
    CosineWarmUp,
    EpochSchedule,
    LinearCoolDown,
    LinearWarmUp,
    ScaledSchedule,
    SequentialSchedule,
)
from .cycle import (
    ConstantSchedule,
    CosineAnnealingSchedule,
    CyclicalSchedule,
    OneCycleSchedule,
    TriangularSchedule,
)
from .decay import (
    CosineScheduler,
    ExponentialScheduler,
    FactorScheduler,
    InverseSqrtScheduler,
    MultiFactorScheduler,
    PolyScheduler,
)
from .plateau import PlateauScheduler
from .text import schedule
from .transfer import transfer

__all__ = [
    "ClippedSchedule",
    "ConstantSchedule",
    "ConstantWarmUp",
    "CosineAnnealingSchedule",
    "CosineScheduler",
    "CosineWarmUp",
    "CyclicalSchedule",
    "EpochSchedule",
    "ExponentialScheduler",
    "FactorScheduler",
    "InverseSqrtScheduler",
    "LinearCoolDown",
    "LinearWarmUp",
    "MultiFactorScheduler",
    "OneCycleSchedule",
    "PlateauScheduler",
    "PolyScheduler",
    "ScaledSchedule",
    "Schedule",
    "SequentialSchedule",
    "TriangularSchedule",
    "schedule",
    "transfer",
]
