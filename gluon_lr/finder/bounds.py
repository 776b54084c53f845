"""Between which rates a search goes: two numbers, or two for each parameter group."""

import math
from typing import Any, Callable, List, Optional, Tuple, Type

import numpy as np

from .. import _check
from ..hyper.annealing import Annealer, SchedExp, SchedLin
from ..hyper.group_rates import Rate, group_rates
from ..hyper.parameters import HyperParameters
from ..training.iteration import IterationLearner

RatesOf = Callable[[float], List[float]]  # of all groups, out of one


def groups_of(learner: Any) -> List[Any]:
    """Return the parameter groups of a Learner; none of another."""
    return getattr(learner, "groups", []) if isinstance(learner, IterationLearner) else []


def rates_of_groups(learner: Any) -> Optional[RatesOf]:
    """Return what gives all groups one rate, where by now they have their own; else None."""
    groups = groups_of(learner)
    if len(groups) < 2 or len(set(HyperParameters(learner.trainer, groups)["lr"])) == 1:
        return None
    return lambda lr: [lr] * len(groups)


class Bounds:
    """The first and the last rate of a search.

    Where groups have bounds of their own, a search is told by the rate of the last group. The
    others are as far from their first rate to their last one.

    Parameters
    ----------
    start, end : numpy.ndarray
        The first and the last rate, of each parameter group, or one for all.

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
        """Check what a search is given for bounds, as :func:`group_rates` takes rates.

        Raises
        ------
        TypeError, ValueError
            Where one is no rate above 0, or not one a group, or the end is not above the start.
        """
        number = max(len(groups_of(learner)), 1)
        starts = np.atleast_1d(group_rates(owner, name_start, start, number))
        ends = np.atleast_1d(group_rates(owner, name_end, end, number))
        for one in starts:
            _check.real(owner, name_start, float(one), above=0)
        for low, high in np.broadcast(starts, ends):
            _check.real(owner, name_end, float(high), above=float(low))
        return cls(starts, ends)

    @property
    def start(self) -> float:
        """The first rate, of the last group."""
        return float(self._start[-1])

    @property
    def end(self) -> float:
        """The last rate, of the last group."""
        return float(self._end[-1])

    @property
    def pairs(self) -> List[Tuple[float, float]]:
        """The first and the last rate of each group, or of all."""
        return list(zip(self._start.tolist(), self._end.tolist()))

    @property
    def are_by_group(self) -> bool:
        """Whether there are several."""
        return len(self._start) > 1

    def by_group(self, lr: float, mode: str = "geometric") -> List[float]:
        """Return the rates of all groups where that of the last is `lr`."""
        if mode == "linear":
            return self._at(SchedLin, (lr - self.start) / (self.end - self.start))
        return self._at(SchedExp, math.log(lr / self.start) / math.log(self.end / self.start))

    def before_end(self, num_it: int) -> Rate:
        """Return the last rates of `num_it` that go on as if they ended one later, as fastai's."""
        last = self._at(SchedExp, (num_it - 1) / num_it)
        return last if self.are_by_group else last[0]

    def _at(self, curve: Type[Annealer], position: float) -> List[float]:
        return [curve(*pair)(position) for pair in self.pairs]
