"""Combinations of two schedules: the product, the sum, the higher and the lower of their rates."""

from numbers import Real
from typing import List, Union

import numpy as np

from .. import _check
from . import foreign
from .base import BoundedSchedule
from .compose import Pair
from .cycle import ConstantSchedule
from .foreign import LRCallable
from .lengths import Extent

__all__ = [
    "MaximumSchedule",
    "MinimumSchedule",
    "ProductSchedule",
    "SumSchedule",
]


class Combination(Pair):
    """A schedule whose rate is computed from the rates of two schedules at the same iteration.

    It ends when both have ended.
    """

    def __init__(self, first: LRCallable, second: Union[LRCallable, float]) -> None:
        number = _check.single(second)
        if isinstance(number, Real):
            second = ConstantSchedule(number)  # type: ignore[arg-type]
        super().__init__(first, second)  # type: ignore[arg-type]

    def _extent(self) -> Extent:
        parts = [one for one in (self.first, self.second) if foreign.lengths_in(one)]
        extents = [foreign.extent_of(one) for one in parts]
        length = max((one.length for one in extents), default=0)
        return Extent(length, ends=bool(extents) and all(one.ends for one in extents))

    def _assigned(self) -> List[LRCallable]:
        return [one for one in super()._assigned() if not isinstance(one, BoundedSchedule)]

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return self._of_each(foreign.rates(self.first, n), foreign.rates(self.second, n))

    def _of_each(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} must define _of_each(first, second)")


class _Vanishing(Combination):
    """A combination that stays 0 after one of the two schedules has ended at 0."""

    def _extent(self) -> Extent:
        whole = super()._extent()
        extents = [(one, foreign.extent_of(one)) for one in (self.first, self.second)]
        gone = [
            extent.length
            for one, extent in extents
            if extent.ends and foreign.asked(one)(extent.length) == 0
        ]
        return Extent(min(gone), ends=True) if gone else whole


class ProductSchedule(_Vanishing):
    """Multiply the rates of two schedules; ``first * second`` makes one.

        lr(n) = first(n) * second(n)

    One of them is a rate and the other is a factor, for example a decay over restarts or a
    warm-up. Its `base_lr` is the `base_lr` of `first`, before the multiplication: for reading
    and for assigning.

    Parameters
    ----------
    first : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    second : callable or float
        Maps an iteration to a factor, like `first`; or one factor for all iterations.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import CosineAnnealingSchedule, CyclicalSchedule, PolyScheduler
    >>> restarts = CyclicalSchedule(CosineAnnealingSchedule, 250, min_lr=0, max_lr=2)
    >>> schedule = restarts * PolyScheduler(max_update=1000, base_lr=1, pwr=1)
    >>> [schedule(n) for n in (0, 250, 375, 500, 1000)]
    [2.0, 1.5, 0.625, 1.0, 0.0]
    """

    def _assigned(self) -> List[LRCallable]:
        return [self.first]

    def _rate(self, n: float) -> float:
        return self._rate_of_first(n) * self._rate_of_second(n)

    def _of_each(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return first * second


class SumSchedule(Combination):
    """Add the rates of two schedules; ``first + second`` makes one.

        lr(n) = first(n) + second(n)

    Its `base_lr` reads as that of `first`. An assignment goes to each schedule that accepts one.

    Parameters
    ----------
    first : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    second : callable or float
        The same as `first`; or a constant rate.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import CosineScheduler
    >>> schedule = CosineScheduler(max_update=1000, base_lr=1) + 0.5
    >>> [schedule(n) for n in (0, 500, 1000, 5000)]
    [1.5, 1.0, 0.5, 0.5]
    """

    def _rate(self, n: float) -> float:
        return self._rate_of_first(n) + self._rate_of_second(n)

    def _of_each(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return first + second


class MaximumSchedule(Combination):
    """Take the higher rate of two schedules; ``first.maximum(second)`` makes one.

        lr(n) = max(first(n), second(n))

    Its `base_lr` reads as that of `first`. An assignment goes to each schedule that accepts one.

    Parameters
    ----------
    first : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    second : callable or float
        The same as `first`; or a constant rate.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import CosineScheduler, InverseSqrtScheduler
    >>> schedule = CosineScheduler(1000, base_lr=1).maximum(InverseSqrtScheduler(40, base_lr=1))
    >>> [schedule(n) for n in (0, 500, 1000, 4000)]
    [1.0, 0.5, 0.2, 0.1]
    """

    def _rate(self, n: float) -> float:
        first, second = self._rate_of_first(n), self._rate_of_second(n)
        return first if first > second else second

    def _of_each(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.maximum(first, second)


class MinimumSchedule(_Vanishing):
    """Take the lower rate of two schedules; ``first.minimum(second)`` makes one.

        lr(n) = min(first(n), second(n))

    Its `base_lr` reads as that of `first`. An assignment goes to each schedule that accepts one.

    Parameters
    ----------
    first : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    second : callable or float
        The same as `first`; or a constant rate.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import CosineScheduler, InverseSqrtScheduler
    >>> schedule = CosineScheduler(1000, base_lr=1).minimum(InverseSqrtScheduler(5, base_lr=1))
    >>> [schedule(n) for n in (0, 500, 1000)]
    [0.0, 0.1, 0.0]
    """

    def _rate(self, n: float) -> float:
        first, second = self._rate_of_first(n), self._rate_of_second(n)
        return first if first < second else second

    def _of_each(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.minimum(first, second)
