"""The policies of a tune: functions from the highest rate to curves, alike at any length."""

import functools
from typing import Any, Callable, Dict, Union

from .. import _check
from .._mxnet import mx
from ..hyper.annealing import SchedNo, ScheduledCurve
from ..hyper.parameters import HyperParameters
from ..hyper.policies import flat_cos, one_cycle, sgdr, usual_moms
from ..schedules import Schedule, foreign
from ..schedules.plateau import listens

CurvesOf = Callable[[float], Dict[str, Any]]
Policy = Union[str, Schedule, CurvesOf]

POLICIES = ("one_cycle", "flat_cos", "sgdr", "constant")
_CYCLES = 3  # of sgdr: one, two and four sevenths of the training


def curves_of(owner: str, policy: Policy, length: int, hypers: HyperParameters) -> CurvesOf:
    """Return the function from a highest rate to curves for `policy`.

    Parameters
    ----------
    owner : str
        The caller, for the messages.
    policy : str, Schedule or callable
        One of 'one_cycle', 'flat_cos', 'sgdr' and 'constant', with the defaults of the fits; a
        schedule, of which a training uses the first `length` iterations; or such a function.
    length : int
        Updates of the training.
    hypers : HyperParameters
        The hyper-parameters of the trainer.

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or a schedule has no rate above 0 or follows a metric.
    """
    if isinstance(policy, Schedule):
        return _scaled(owner, policy, length)
    is_other = isinstance(policy, (type, mx.lr_scheduler.LRScheduler))
    if callable(policy) and not is_other:
        return policy
    named: Dict[str, CurvesOf] = {
        "one_cycle": lambda rate: one_cycle(rate, moms=usual_moms(hypers)),
        "flat_cos": flat_cos,
        "sgdr": lambda rate: sgdr(rate, _CYCLES, 1),
        "constant": lambda rate: {"lr": SchedNo(rate, rate)},
    }
    if not isinstance(policy, str):
        constraint = f"one of {', '.join(POLICIES)}, a Schedule, or a function of the highest rate"
        remedy = "Replace an MXNet scheduler by the gluon_lr schedule of the same name."
        raise TypeError(_check.message(owner, "policy", constraint, policy, remedy))
    return named[_check.one_of(owner, "policy", policy, POLICIES)]


def name_of(policy: Policy) -> str:
    """Return the name of a policy in a result."""
    if isinstance(policy, (str, Schedule)):
        return str(policy)
    if isinstance(policy, functools.partial):
        return name_of(policy.func)
    return str(getattr(policy, "__name__", type(policy).__name__))


def _scaled(owner: str, schedule: Schedule, length: int) -> CurvesOf:
    """Return curves with the shape of the schedule's iterations 1 to `length`, stretched."""
    if listens(schedule):
        constraint = "a schedule that does not follow a metric"
        raise TypeError(_check.message(owner, "policy", constraint, schedule))
    if foreign.is_in_shares(schedule):
        schedule = schedule.scaled_to(length)
    rates = schedule.values(range(1, length + 1))
    peak = float(rates.max())
    if peak <= 0:
        constraint = f"a schedule with a rate above 0 in its first {length} iterations"
        raise ValueError(_check.message(owner, "policy", constraint, schedule))

    return lambda rate: {"lr": ScheduledCurve(schedule * (rate / peak), length)}
