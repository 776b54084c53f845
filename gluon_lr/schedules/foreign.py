"""Any callable as a schedule: ours, MXNet's own, GluonCV's, a user's function.

The modifiers ask their inner schedule through these functions alone, which never change it.
"""

import copy
from typing import Any, Callable, Dict

from .. import _check
from .._mxnet import mx
from .base import Schedule
from .decay import (
    CosineScheduler,
    DecaySchedule,
    FactorScheduler,
    MultiFactorScheduler,
    PolyScheduler,
)

LRCallable = Callable[[int], float]


def check_schedule(owner: str, schedule: Any) -> LRCallable:
    """Check that `schedule` can be called with an iteration, and return it."""
    constraint = "a schedule: callable with an iteration, returning a learning rate"
    if isinstance(schedule, type):
        raise TypeError(_check.message(owner, "schedule", constraint, schedule, "Instantiate it."))
    _check.is_callable(owner, "schedule", schedule, constraint)
    if type(schedule) in _EQUIVALENTS:
        _equivalent(schedule)
    return schedule


def rate(schedule: LRCallable, n: int) -> float:
    """Return the rate of `schedule` at iteration `n`, and leave the schedule as it is.

    MXNet's own schedules count while they are called, forward only, so an equal schedule of
    ours answers for them; any other callable is asked on a deep copy.
    """
    if isinstance(schedule, Schedule):
        return schedule(n)
    if type(schedule) in _EQUIVALENTS:
        return _equivalent(schedule)(n)
    return float(copy.deepcopy(schedule)(n))


def get_base_lr(schedule: LRCallable) -> float:
    """Return the `base_lr` of `schedule`, or its rate at 0 where it has none."""
    if type(schedule) in _EQUIVALENTS:
        return _equivalent(schedule).base_lr
    base_lr = getattr(schedule, "base_lr", None)
    return rate(schedule, 0) if base_lr is None else base_lr


def set_base_lr(schedule: LRCallable, value: float) -> bool:
    """Assign the `base_lr` of `schedule` and say whether it has one."""
    if not hasattr(schedule, "base_lr"):
        return False
    schedule.base_lr = value
    if hasattr(schedule, "base_lr_orig"):
        schedule.base_lr_orig = value
    return True


def _equivalent(schedule: Any) -> DecaySchedule:
    """Return the schedule of ours that equals MXNet's own `schedule` at its first call."""
    equivalent = _EQUIVALENTS[type(schedule)](schedule)
    for name in ("warmup_steps", "warmup_begin_lr", "warmup_mode"):
        setattr(equivalent, name, getattr(schedule, name))
    return equivalent


def _undecayed(schedule: Any, decays: int, floor: float) -> float:
    """Return the `base_lr` MXNet's schedule had before it multiplied it `decays` times."""
    if decays == 0:
        return schedule.base_lr
    if schedule.base_lr <= floor:
        raise ValueError(
            _check.message(
                type(schedule).__name__,
                "schedule",
                "unused, or not yet decayed to its end",
                schedule,
                "It has overwritten the base_lr it started from: build it anew.",
            )
        )
    return schedule.base_lr / schedule.factor**decays


_EQUIVALENTS: Dict[type, Callable[[Any], DecaySchedule]] = {
    mx.lr_scheduler.FactorScheduler: lambda own: FactorScheduler(
        own.step,
        own.factor,
        own.stop_factor_lr,
        _undecayed(own, own.count // own.step, own.stop_factor_lr),
    ),
    mx.lr_scheduler.MultiFactorScheduler: lambda own: MultiFactorScheduler(
        own.step, own.factor, _undecayed(own, own.cur_step_ind, 0)
    ),
    mx.lr_scheduler.PolyScheduler: lambda own: PolyScheduler(
        own.max_update, own.base_lr_orig, own.power, own.final_lr
    ),
    mx.lr_scheduler.CosineScheduler: lambda own: CosineScheduler(
        own.max_update, own.base_lr_orig, own.final_lr
    ),
}
