"""Which rate to try next, and which is the best: the rule of a tune, without a training.

A few short trials find the valley of the loss over the rate, from an optimizer's usual rate on by
half-decades to the better side. Trials of the real length, where the budget has them, find its
lowest point. All figures were chosen on some 300 small random trainings.
"""

import math
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .usual import DECADES_OF_USUAL, decades_of_trials, shift

Measure = Callable[[float, int], float]

SHORTEST = 8  # updates of a trial; fewer say nothing
_SCOUTS = 4  # short trials before those of the real length
_MOST_SCOUTS = 6  # and where there are no others
_SHARE_OF_SCOUTS = 0.8  # of a training, to spend on them at least
_FEWEST_FINALS = 3  # that are worth more than longer scouts, where none is kept
_STEP, _FINE_STEP, _FAR_STEP = 0.5, 0.4, 1.0  # decades between rates
_CLOSE = 0.08  # decades in which two trials say the same
_DECADES_OF_FINALS = 0.28  # from the best, or the lowest point, between two worse


class Plan(NamedTuple):
    """What a budget is spent on.

    Attributes
    ----------
    scouts, finals : int
        The most trials that are short, and those of the real length.
    scout_length : int
        Updates of a short trial.
    """

    scouts: int
    scout_length: int
    finals: int

    @property
    def trials(self) -> int:
        """The most trials."""
        return self.scouts + self.finals


class Found(NamedTuple):
    """What a climb has come to.

    Attributes
    ----------
    rate : float
        The best one; of trials that are kept, the best that was tried.
    decades : float
        How far from it, up or down, 4 of 5 best rates lie.
    """

    rate: float
    decades: float


def plan(length: int, budget: int, keep: bool) -> Plan:
    """Share out a budget of updates, for a training of `length`, one of whose trials is kept."""
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
        From a rate and a number of updates to the loss after a training of so many at that
        highest rate. One that is above `began`, or not finite, counts as `began`: of equals the
        lowest rate is the best.
    began : float
        The loss before a training.
    start : callable
        From a number of updates to the rate to begin with.
    length : int
        Updates of the training that the rate is for.
    plan : Plan
        How many trials, and of which length.
    keep : bool
        Whether the best trial of the real length is the training, so that its rate is the one.
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
        The common logarithm of the rate of each trial, rising, and its loss, at most `began`.
    """

    def __init__(self, measure: Measure, length: int, began: float) -> None:
        self._measure = measure
        self._length = length
        self._began = began
        self.points: List[Tuple[float, float]] = []

    def try_at(self, place: float) -> None:
        """Make the trial at a rate of 10^place."""
        loss = self._measure(10**place, self._length)
        self.points.append((place, loss if loss < self._began else self._began))
        self.points.sort()

    def __len__(self) -> int:
        return len(self.points)

    @property
    def best(self) -> int:
        """The number of the point with the lowest loss; of equals the one of the lowest rate."""
        losses = [loss for _, loss in self.points]
        return losses.index(min(losses))

    @property
    def loss(self) -> float:
        """The lowest loss."""
        return self.points[self.best][1]

    @property
    def learns(self) -> bool:
        """Whether one of the trials ended below the loss before them."""
        return self.loss < self._began

    @property
    def is_bracketed(self) -> bool:
        """Whether the best lies between two worse."""
        return 0 < self.best < len(self) - 1

    @property
    def leans_up(self) -> bool:
        """Whether rates above the best are better than those below it."""
        if not self.is_bracketed:
            return self.best > 0
        return self.points[self.best + 1][1] < self.points[self.best - 1][1]

    @property
    def lowest(self) -> float:
        """Where the parabola through the best and its neighbours is lowest, or else the best."""
        if not self.is_bracketed:
            return self.points[self.best][0]
        return vertex(self.points[self.best - 1 : self.best + 2])

    def beyond(self, step: float) -> float:
        """Return the next place on the side at whose end the best lies."""
        return self.points[0][0] - step if self.best == 0 else self.points[-1][0] + step

    def between(self) -> Optional[float]:
        """Return where to look for a better one beside the best; None where all has been seen."""
        places = [place for place, _ in self.points]
        if min(abs(self.lowest - place) for place in places) >= _CLOSE:
            return self.lowest
        left, best, right = places[self.best - 1 : self.best + 2]
        gap = max(right - best, best - left)
        if gap < 2 * _CLOSE:
            return None
        return best + gap / 2 if gap == right - best else best - gap / 2


def vertex(points: Sequence[Tuple[float, float]]) -> float:
    """Return where the parabola through three points is lowest, x rising, the second the lowest.

    No more than half-way to a neighbour.
    """
    (x0, y0), (x1, y1), (x2, y2) = points
    left, right = (x1 - x0) * (y2 - y1), (x2 - x1) * (y0 - y1)
    if left + right <= 0:
        return x1
    lowest = x1 + 0.5 * ((x2 - x1) * right - (x1 - x0) * left) / (left + right)
    return min(max(lowest, (x0 + x1) / 2), (x1 + x2) / 2)


def parabola(rates: np.ndarray, losses: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Return rates from the first of three to the last, and the parabola of their losses there."""
    places = np.log10(rates)
    between = np.linspace(places[0], places[-1], 101)
    return 10**between, np.polyval(np.polyfit(places, losses, 2), between)


def scout(valley: Valley, start: float, most: int, step: float = _STEP) -> None:
    """Go down by wide steps until the best lies between two worse."""
    valley.try_at(start)
    valley.try_at(start - step)
    while len(valley) < most and not valley.is_bracketed:
        valley.try_at(valley.beyond(step))


def settle(
    valley: Valley, start: float, most: int, leans_up: bool, too_high: float, keep: bool = False
) -> None:
    """Find the lowest place near `start`; where one is kept, another trial may always be better.

    Rates are far too high as long as no loss is below `too_high`.
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
