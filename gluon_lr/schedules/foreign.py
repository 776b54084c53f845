"""Any callable as a schedule: ours, MXNet's own, GluonCV's, a user's function.

The modifiers call their inner schedule only through these functions, which never change it.
"""

import copy
import functools
from typing import Any, Callable, Dict, List

import numpy as np

from .. import _check
from .._mxnet import mx
from . import arrays, lengths
from .base import Schedule
from .decay import (
    CosineScheduler,
    DecaySchedule,
    FactorScheduler,
    FiniteDecaySchedule,
    MultiFactorScheduler,
    PolyScheduler,
    SteppedDecaySchedule,
)
from .lengths import Extent

LRCallable = Callable[[int], float]


def check_schedule(owner: str, schedule: Any, argument: str = "schedule") -> LRCallable:
    """Check that `schedule` can be called with an iteration, and return it."""
    constraint = "a schedule: a callable that takes an iteration and returns a learning rate"
    if isinstance(schedule, type):
        raise TypeError(_check.message(owner, argument, constraint, schedule, "Instantiate it."))
    _check.is_callable(owner, argument, schedule, constraint)
    as_ours(schedule)
    return schedule


def asked(schedule: LRCallable) -> Callable[[float], float]:
    """Return a function from an iteration to the rate. Calling it does not change `schedule`.

    MXNet's own schedules change state when they are called, so an equal schedule of ours is
    called instead. Any other callable is deep-copied before the call.
    """
    if _is_asked_by_rate(schedule):
        return schedule._rate  # type: ignore[attr-defined]
    return functools.partial(_rate_of_another, schedule)


def rates(schedule: LRCallable, n: np.ndarray) -> np.ndarray:
    """Return the rates of `schedule` at the sorted numbers `n`, without changing it."""
    schedule = as_ours(schedule)
    if _is_asked_by_rate(schedule):
        return schedule._rates(n)  # type: ignore[attr-defined]
    return arrays.one_by_one(asked(schedule), n)


def as_ours(schedule: Any) -> Any:
    """Return an equal schedule of ours if `schedule` is MXNet's own, else `schedule` itself."""
    return _equivalent(schedule) if type(schedule) in _EQUIVALENTS else schedule


def _is_asked_by_rate(schedule: Any) -> bool:
    """Return whether a call of `schedule` is a call of `_rate`: no user's class overrides it."""
    return isinstance(schedule, Schedule) and type(schedule).__call__ in _OWN_CALLS


def _rate_of_another(schedule: LRCallable, n: float) -> float:
    own = as_ours(schedule)
    if own is not schedule:
        return own._rate(n)
    asked = copy.deepcopy(schedule)
    if isinstance(asked, Schedule):
        asked._is_in_iterations = True  # no check, as for schedules called by `_rate`
    return float(asked(n))


def get_base_lr(schedule: LRCallable) -> float:
    """Return the `base_lr` of `schedule`, or its rate at 0 if it has no `base_lr`."""
    base_lr = getattr(as_ours(schedule), "base_lr", None)
    return asked(schedule)(0) if base_lr is None else base_lr


def set_base_lr(schedule: LRCallable, value: float) -> bool:
    """Assign the `base_lr` of `schedule`, and return whether it has one."""
    if not hasattr(schedule, "base_lr"):
        return False
    schedule.base_lr = value
    if hasattr(schedule, "base_lr_orig"):
        schedule.base_lr_orig = value
    return True


def is_in_shares(schedule: LRCallable) -> bool:
    """Return whether the lengths of `schedule` are shares of a training of any length."""
    found = lengths_in(schedule)
    return lengths.are_shares(found) or lengths.is_whole(found, extent_of(schedule))


def goes_with_any_length(schedule: LRCallable) -> bool:
    """Return whether `schedule` fits a training of any length."""
    return not lengths_in(schedule) or is_in_shares(schedule)


def has_shares(schedule: LRCallable) -> bool:
    """Return whether a length in `schedule` can only be meant as a share of a training."""
    schedule = as_ours(schedule)
    return isinstance(schedule, Schedule) and schedule._has_shares()


def is_ours(schedule_class: Any) -> bool:
    """Return whether something is a schedule class of this package."""
    of_schedules = isinstance(schedule_class, type) and issubclass(schedule_class, Schedule)
    return of_schedules and schedule_class.__module__.split(".")[0] == "gluon_lr"


def lengths_in(schedule: LRCallable) -> List[float]:
    """Return all lengths in `schedule`; an unknown length is infinite."""
    schedule = as_ours(schedule)
    return schedule._all_lengths() if isinstance(schedule, Schedule) else [lengths.UNKNOWN]


def extent_of(schedule: LRCallable) -> Extent:
    """Return the extent of `schedule`."""
    schedule = as_ours(schedule)
    return schedule._extent() if isinstance(schedule, Schedule) else Extent(0, ends=False)


def _equivalent(schedule: Any) -> DecaySchedule:
    """Return the schedule of ours that equals MXNet's `schedule` before its first call."""
    equivalent = _EQUIVALENTS[type(schedule)](schedule)
    names = ("warmup_steps", "warmup_begin_lr", "warmup_mode")
    equivalent.__dict__.update((name, getattr(schedule, name)) for name in names)
    equivalent._derive()
    return equivalent


def _undecayed(schedule: Any, decays: int, floor: float) -> float:
    """Return the `base_lr` of MXNet's schedule before it was multiplied `decays` times."""
    if decays == 0:
        return schedule.base_lr
    if schedule.base_lr <= floor:
        raise ValueError(
            _check.message(
                type(schedule).__name__,
                "schedule",
                "one that has not yet decayed to its end",
                schedule,
                "Create a new one: its calls have overwritten the `base_lr` that it started from.",
            )
        )
    return schedule.base_lr / schedule.factor**decays


_OWN_CALLS = (
    Schedule.__call__,
    SteppedDecaySchedule.__call__,
    FiniteDecaySchedule.__call__,
)
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
