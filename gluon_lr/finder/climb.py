"""The rules of a tune: which rate to try next, and which is the best; it does not train itself.

A few short trials find the valley of the loss over the rate. They start at the optimizer's usual
rate and move by half-decades to the better side. If the budget allows full-length trials, these
find the lowest point of the valley. All constants were chosen on some 300 small random trainings.
"""

import math
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .usual import DECADES_OF_USUAL, decades_of_trials, shift

Measure = Callable[[float, int], float]

SHORTEST = 8  # updates of a trial; with fewer the loss is not informative
_SCOUTS = 4  # short trials before the full-length ones
_MOST_SCOUTS = 6  # short trials if there are no full-length ones
_SHARE_OF_SCOUTS = 0.8  # the least to spend on short trials, in full-length trainings
_FEWEST_FINALS = 3  # with fewer full-length trials, longer short ones are better, if none is kept
_STEP, _FINE_STEP, _FAR_STEP = 0.5, 0.4, 1.0  # decades between rates
_CLOSE = 0.08  # decades; two trials closer than this give no new information
_DECADES_OF_FINALS = 0.28  # interval around the lowest point, if it lies between two worse trials


class Plan(NamedTuple):
    """How to spend a budget.

    Attributes
    ----------
    scouts, finals : int
        The largest number of short trials, and of full-length trials.
    scout_length : int
        Updates of a short trial.
    """

    scouts: int
    scout_length: int
    finals: int

    @property
    def trials(self) -> int:
        """The largest number of trials."""
        return self.scouts + self.finals


class Found(NamedTuple):
    """The result of a climb.

    Attributes
    ----------
    rate : float
        The best rate. If the best trial is kept, it is the rate of that trial.
    decades : float
        The distance from it, up or down, within which 4 of 5 best rates lie.
    """

    rate: float
    decades: float


def plan(length: int, budget: int, keep: bool) -> Plan:
    """Plan a budget of updates for trials of `length`; with `keep`, one of them will be kept."""
    finals = max(int(budget / length - _SHARE_OF_SCOUTS), 0)
    if keep:
        finals = max(finals, 1)
    elif finals < _FEWEST_FINALS:
        finals = 0
    rest = budget - finals * length
    scout_length = min(rest // _SCOUTS, length // 4 if finals else length // 2)
    if scout_length < SHORTEST:
        return Plan(0, 0, finals)
    most = _SCOUTS if finals else min(rest // scout_length, _MOST_SCOUTS)
    return Plan(most, scout_length, finals)


def climb(
    measure: Measure,
    began: float,
    start: Callable[[int], float],
    length: int,
    plan: Plan,
    keep: bool = False,
    passes: Optional[float] = None,
) -> Found:
    """Try rates as planned and return the best.

    Parameters
    ----------
    measure : callable
        Takes a highest rate and a number of updates, and returns the loss after such a training.
        A loss above `began`, or one that is not finite, counts as `began`. If losses are equal,
        the lowest rate is the best.
    began : float
        The loss before a training.
    start : callable
        Takes a number of updates and returns the first rate to try.
    length : int
        Updates of the training that the rate is for.
    plan : Plan
        How many trials to make, and how long.
    keep : bool
        Whether the best full-length trial is kept as the training, so that its rate is returned.
    passes : float, optional
        Passes through the data in `length` updates.
    """
    best, decades = math.log10(start(length)), DECADES_OF_USUAL
    leans_up = False
    if plan.scouts:
        scouts = Valley(measure, plan.scout_length, began)
        scout(scouts, math.log10(start(plan.scout_length)), plan.scouts)
        best = scouts.lowest + math.log10(shift(plan.scout_length, length, passes))
        decades = decades_of_trials(plan.scout_length, length, passes)
        leans_up = scouts.leans_up
    if plan.finals:
        finals = Valley(measure, length, began)
        settle(finals, best, plan.finals, leans_up, began, keep)
        best = finals.points[finals.best][0] if keep else finals.lowest
        if finals.is_bracketed:
            decades = _DECADES_OF_FINALS
    return Found(10**best, decades)


class Valley:
    """The losses of trials of one length over the logarithms of their rates.

    Attributes
    ----------
    points : list of (float, float)
        For each trial, log10 of its rate, rising, and its loss, at most `began`.
    """

    def __init__(self, measure: Measure, length: int, began: float) -> None:
        self._measure = measure
        self._length = length
        self._began = began
        self.points: List[Tuple[float, float]] = []

    def try_at(self, place: float) -> None:
        """Make a trial at the rate 10^place."""
        loss = self._measure(10**place, self._length)
        self.points.append((place, loss if loss < self._began else self._began))
        self.points.sort()

    def __len__(self) -> int:
        return len(self.points)

    @property
    def best(self) -> int:
        """The index of the point with the lowest loss; if losses are equal, of the lowest rate."""
        losses = [loss for _, loss in self.points]
        return losses.index(min(losses))

    @property
    def loss(self) -> float:
        """The lowest loss."""
        return self.points[self.best][1]

    @property
    def learns(self) -> bool:
        """Whether one of the trials ended below the loss before training."""
        return self.loss < self._began

    @property
    def is_bracketed(self) -> bool:
        """Whether the best point has a worse one on each side."""
        return 0 < self.best < len(self) - 1

    @property
    def leans_up(self) -> bool:
        """Whether rates just above the best are better than those just below it."""
        if not self.is_bracketed:
            return self.best > 0
        return self.points[self.best + 1][1] < self.points[self.best - 1][1]

    @property
    def lowest(self) -> float:
        """The lowest place of the parabola through the best and its neighbours, or the best."""
        if not self.is_bracketed:
            return self.points[self.best][0]
        return vertex(self.points[self.best - 1 : self.best + 2])

    def beyond(self, step: float) -> float:
        """Return the next place beyond the end at which the best point lies."""
        return self.points[0][0] - step if self.best == 0 else self.points[-1][0] + step

    def between(self) -> Optional[float]:
        """Return the next place to try beside the best; None if its neighbours are too close."""
        places = [place for place, _ in self.points]
        if min(abs(self.lowest - place) for place in places) >= _CLOSE:
            return self.lowest
        left, best, right = places[self.best - 1 : self.best + 2]
        gap = max(right - best, best - left)
        if gap < 2 * _CLOSE:
            return None
        return best + gap / 2 if gap == right - best else best - gap / 2


def vertex(points: Sequence[Tuple[float, float]]) -> float:
    """Return the lowest place of the parabola through three points with rising x.

    The second point is the lowest. The result is at most half-way from it to a neighbour.
    """
    (x0, y0), (x1, y1), (x2, y2) = points
    left, right = (x1 - x0) * (y2 - y1), (x2 - x1) * (y0 - y1)
    if left + right <= 0:
        return x1
    lowest = x1 + 0.5 * ((x2 - x1) * right - (x1 - x0) * left) / (left + right)
    return min(max(lowest, (x0 + x1) / 2), (x1 + x2) / 2)


def parabola(rates: np.ndarray, losses: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Return rates from the first of three to the last, and the parabola through their losses."""
    places = np.log10(rates)
    between = np.linspace(places[0], places[-1], 101)
    return 10**between, np.polyval(np.polyfit(places, losses, 2), between)


def scout(valley: Valley, start: float, most: int, step: float = _STEP) -> None:
    """Move downhill by wide steps until the best point has a worse one on each side."""
    valley.try_at(start)
    valley.try_at(start - step)
    while len(valley) < most and not valley.is_bracketed:
        valley.try_at(valley.beyond(step))


def settle(
    valley: Valley, start: float, most: int, leans_up: bool, too_high: float, keep: bool = False
) -> None:
    """Find the lowest place near `start`.

    Rates are far too high as long as no loss is below `too_high`. With `keep`, the search goes on
    after the lowest place is tried, because the best trial is kept and another may be better.
    """
    valley.try_at(start)
    while len(valley) < most:
        if valley.loss >= too_high:
            valley.try_at(valley.points[0][0] - _FAR_STEP)
        elif len(valley) == 1:
            valley.try_at(start + (_FINE_STEP if leans_up else -_FINE_STEP))
        elif not valley.is_bracketed:
            valley.try_at(valley.beyond(_FINE_STEP))
        else:
            place = valley.between()
            if place is None or not (keep or place == valley.lowest):
                return
            valley.try_at(place)
