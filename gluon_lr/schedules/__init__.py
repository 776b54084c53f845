"""Schedules: the learning rate of update n, as pure functions on `mx.lr_scheduler.LRScheduler`."""

from .algebra import MaximumSchedule, MinimumSchedule, ProductSchedule, SumSchedule
from .base import Schedule
from .compose import (
    ClippedSchedule,
    ConstantWarmUp,
    CoolDown,
    CosineWarmUp,
    EpochSchedule,
    LinearCoolDown,
    LinearWarmUp,
    ScaledSchedule,
    SequentialSchedule,
)
from .counts import ContinuedSchedule, KDecaySchedule, ShiftedSchedule
from .cycle import (
    ConstantSchedule,
    CosineAnnealingSchedule,
    CyclicalSchedule,
    OneCycleSchedule,
    REXSchedule,
    TriangularSchedule,
)
from .decay import (
    CosineScheduler,
    ExponentialScheduler,
    FactorScheduler,
    InverseSqrtScheduler,
    InverseTimeScheduler,
    MultiFactorScheduler,
    PolyScheduler,
)
from .piecewise import PiecewiseSchedule
from .plateau import PlateauScheduler
from .power_law import PowerLawSchedule
from .recipes import exp_range, linear_to_zero, triangular2
from .text import schedule
from .transfer import transfer
from .warmup_stable_decay import WarmupStableDecaySchedule

__all__ = [
    "ClippedSchedule",
    "ConstantSchedule",
    "ConstantWarmUp",
    "ContinuedSchedule",
    "CoolDown",
    "CosineAnnealingSchedule",
    "CosineScheduler",
    "CosineWarmUp",
    "CyclicalSchedule",
    "EpochSchedule",
    "ExponentialScheduler",
    "FactorScheduler",
    "InverseSqrtScheduler",
    "InverseTimeScheduler",
    "KDecaySchedule",
    "LinearCoolDown",
    "LinearWarmUp",
    "MaximumSchedule",
    "MinimumSchedule",
    "MultiFactorScheduler",
    "OneCycleSchedule",
    "PiecewiseSchedule",
    "PlateauScheduler",
    "PolyScheduler",
    "PowerLawSchedule",
    "ProductSchedule",
    "REXSchedule",
    "ScaledSchedule",
    "Schedule",
    "SequentialSchedule",
    "ShiftedSchedule",
    "SumSchedule",
    "TriangularSchedule",
    "WarmupStableDecaySchedule",
    "exp_range",
    "linear_to_zero",
    "schedule",
    "transfer",
    "triangular2",
]
