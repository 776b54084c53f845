"""The schedule that follows a curve of `gluon_lr.annealing`."""

import math

from .. import _check
from ..schedules.base import BoundedSchedule
from ..schedules.lengths import Extent
from .annealing import Curve, as_curve, over_updates, position_of


class AnnealedSchedule(BoundedSchedule):
    """The rate along a curve of :mod:`gluon_lr.annealing`, as a schedule of updates.

        lr(n) = curve((n - 1) / length)    1 <= n <= length
        lr(n) = curve(1)                   n > length

    Parameters
    ----------
    curve : callable
        Maps a position from 0 to 1 to a rate; or a schedule, called with its iterations.
    length : float
        Length of the curve, in iterations, above 0; fractions are allowed.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr.annealing import SchedLin
    >>> schedule = AnnealedSchedule(SchedLin(1, 0), length=4)
    >>> [schedule(n) for n in (0, 1, 3, 5, 100)]
    [1.0, 1.0, 0.5, 0.0, 0.0]
    """

    _lengths = ("length",)

    def __init__(self, curve: Curve, length: float) -> None:
        super().__init__()
        name = type(self).__name__
        _check.is_function(name, "curve", curve, "callable with a position")
        self.length = _check.length(name, "length", length)
        self.curve = over_updates(as_curve(curve), self.length)

    def _extent(self) -> Extent:
        return Extent(self.length, ends=True)

    def _rate(self, n: float) -> float:
        return float(self.curve(position_of(n, self.length)))

    def _peak(self) -> float:
        return max(self._rate(n) for n in range(1, math.ceil(self.length) + 2))
