"""The first and the last rate of a search, for all parameters or for each parameter group."""

import math
from typing import Any, Callable, List, Optional, Tuple, Type

import numpy as np

from .. import _check
from ..hyper.annealing import Annealer, SchedExp, SchedLin
from ..hyper.group_rates import Rate, group_rates
from ..hyper.parameters import HyperParameters
from ..training.iteration import IterationLearner

RatesOf = Callable[[float], List[float]]  # from one rate to the rates of all groups


def groups_of(learner: Any) -> List[Any]:
    """Return the parameter groups of a Learner, or no groups for a custom learner."""
    return getattr(learner, "groups", []) if isinstance(learner, IterationLearner) else []


def rates_of_groups(learner: Any) -> Optional[RatesOf]:
    """Return a function that gives all groups one rate, if their rates differ now; else None."""
    groups = groups_of(learner)
    if len(groups) < 2 or len(set(HyperParameters(learner.trainer, groups)["lr"])) == 1:
        return None
    return lambda lr: [lr] * len(groups)


class Bounds:
    """The first and the last rate of a search.

    If each group has its own bounds, the rate of a search is that of the last group. The other
    groups are at the same fraction of the way from their first rate to their last.

    Parameters
    ----------
    start, end : numpy.ndarray
        The first and the last rate of each parameter group, or one rate for all.

    >>> bounds = Bounds(np.array([1e-8, 1e-7]), np.array([1.0, 10.0]))
    >>> bounds.start, bounds.end
    (1e-07, 10.0)
    >>> [round(rate, 12) for rate in bounds.by_group(1e-3)]
    [0.0001, 0.001]
    """

    def __init__(self, start: np.ndarray, end: np.ndarray) -> None:
        self._start, self._end = np.broadcast_arrays(start, end)

    @classmethod
    def of(
        cls, owner: str, learner: Any, name_start: str, start: Rate, name_end: str, end: Rate
    ) -> "Bounds":
        """Check the bounds of a search, given as :func:`group_rates` accepts them.

        Raises
        ------
        TypeError, ValueError
            If a bound is not a rate above 0, or not one rate per group, or an end is not above
            its start.
        """
        number = max(len(groups_of(learner)), 1)
        starts = np.atleast_1d(group_rates(owner, name_start, start, number))
        ends = np.atleast_1d(group_rates(owner, name_end, end, number))
        for one in starts:
            _check.real(owner, name_start, float(one), above=0)
        for low, high in np.broadcast(starts, ends):
            remedy = f"`{name_start}` is {low:g}."
            _check.real(owner, name_end, float(high), above=float(low), remedy=remedy)
        return cls(starts, ends)

    @property
    def start(self) -> float:
        """The first rate of the last group."""
        return float(self._start[-1])

    @property
    def end(self) -> float:
        """The last rate of the last group."""
        return float(self._end[-1])

    @property
    def pairs(self) -> List[Tuple[float, float]]:
        """The first and the last rate of each group, or of all together."""
        return list(zip(self._start.tolist(), self._end.tolist()))

    @property
    def are_by_group(self) -> bool:
        """Whether there are several bounds, one pair per group."""
        return len(self._start) > 1

    def by_group(self, lr: float, mode: str = "geometric") -> List[float]:
        """Return the rates of all groups when the last group has the rate `lr`."""
        if mode == "linear":
            return self._at(SchedLin, (lr - self.start) / (self.end - self.start))
        return self._at(SchedExp, math.log(lr / self.start) / math.log(self.end / self.start))

    def before_end(self, num_it: int) -> Rate:
        """Return the rate of the last of `num_it` iterations in fastai, one step before the end."""
        last = self._at(SchedExp, (num_it - 1) / num_it)
        return last if self.are_by_group else last[0]

    def _at(self, curve: Type[Annealer], position: float) -> List[float]:
        return [curve(*pair)(position) for pair in self.pairs]
