"""The rules of a race, which finds the best of several settings; it does not train itself.

Short trials find the rate of each setting, starting at the rate found for those before it. The
most promising settings train to the end: at two rates, and at the better one again in other
orders of the data. The orders are the same for all settings. A setting that is significantly
worse than the best is dropped.

The race is from Maron & Moore, "Hoeffding Races", 1993. All constants were chosen on small random
trainings.
"""

import math
from statistics import median
from typing import Callable, List, NamedTuple, Optional, Sequence

from .climb import SHORTEST, Found, Valley, scout, settle
from .told_apart import told_apart
from .usual import decades_of_trials, shift

_SCOUT = 0.25  # length of a short trial, as a fraction of a training
_SCOUTS, _SCOUTS_OF_FIRST = 3, 4
_FINALISTS, _FEWEST = 3, 2
_RATES = 2  # rates that a finalist tries
_ORDERS, _MOST_ORDERS = 3, 8  # orders of the data in which a finalist trains


class Runner(NamedTuple):
    """One setting in a race.

    Attributes
    ----------
    measure : callable
        Takes a rate, a number of updates, and the number of an order of the data, from 0. Returns
        the loss after such a training.
    start : callable
        Takes a number of updates and returns the first rate to try.
    began : float
        The loss before a training. A loss above it, or one that is not finite, counts as this.
    length : int
        Updates of the training that the rate is for.
    """

    measure: Callable[[float, int, int], float]
    start: Callable[[int], float]
    began: float
    length: int


class Finish(NamedTuple):
    """The result of one runner.

    Attributes
    ----------
    found : Found
        Its rate.
    losses : list of float
        The loss after a full-length training, for each order of the data.
    unsure : float
        The error of these losses because only two rates were tried in full.
    dropped : bool
        Whether the race went on without it.
    """

    found: Found
    losses: List[float]
    unsure: float
    dropped: bool


def updates_of(settings: int, length: int) -> int:
    """Return the default budget of a race, in updates, for trainings of `length`."""
    finalists = min(settings, _FINALISTS)
    return _scouting(settings, length) + finalists * (_RATES + _ORDERS - 1) * length


def fewest_updates_of(settings: int, length: int) -> int:
    """Return the smallest budget of a race, in updates."""
    return _scouting(settings, length) + min(settings, _FEWEST) * _RATES * length


def _scouting(settings: int, length: int) -> int:
    return _scout_length(length) * (_SCOUTS_OF_FIRST + _SCOUTS * (settings - 1))


def _scout_length(length: int) -> int:
    return max(round(_SCOUT * length), min(SHORTEST, length))


def race(runners: Sequence[Runner], budget: float, passes: Optional[float] = None) -> List[Finish]:
    """Run the race, and return the result of each runner.

    Parameters
    ----------
    runners : sequence of Runner
        Two or more.
    budget : float
        The most full-length trainings to spend.
    passes : float, optional
        Passes through the data in a training.
    """
    tracks = [_Track(runner, passes) for runner in runners]
    hints: List[float] = []
    for track in tracks:
        track.scout(*((median(hints), _SCOUTS) if hints else (0.0, _SCOUTS_OF_FIRST)))
        hints.append(track.hint)
    left = budget - sum(track.spent for track in tracks)
    places = max(int(left / (_RATES + _ORDERS - 1)), min(_FINALISTS, int(left / _RATES)))
    at_work = sorted(tracks, key=lambda track: track.promise)[:places]
    for track in at_work:
        track.settle()
    left -= _RATES * len(at_work)
    orders = 1
    while 1 < len(at_work) <= left and orders < _MOST_ORDERS:
        for track in at_work:
            track.train(orders)
        left -= len(at_work)
        orders += 1
        unsure = [track.unsure for track in at_work]
        apart = told_apart([track.losses for track in at_work], unsure).apart
        at_work = [track for track, is_apart in zip(at_work, apart) if not is_apart]
    return [
        Finish(track.found, track.losses, track.unsure, len(track.losses) < orders)
        for track in tracks
    ]


class _Track:
    """The trials of one runner so far."""

    def __init__(self, runner: Runner, passes: Optional[float]) -> None:
        self._runner = runner
        self._passes = passes
        length = _scout_length(runner.length)
        self._scouts = self._valley(length)
        self._finals = self._valley(runner.length)
        self._scout_length = length
        self.losses: List[float] = []

    def _valley(self, length: int) -> Valley:
        return Valley(lambda rate, n: self._runner.measure(rate, n, 0), length, self._runner.began)

    def scout(self, hint: float, most: int) -> None:
        """Find the best rate of short trials, from `hint` decades above the first rate to try."""
        self._start = math.log10(self._runner.start(self._scout_length))
        scout(self._scouts, self._start + hint, most)

    @property
    def hint(self) -> float:
        """How many decades the best rate of short trials is above the first rate to try."""
        return self._scouts.lowest - self._start

    @property
    def spent(self) -> float:
        """The cost of its short trials, in full-length trainings."""
        return len(self._scouts) * self._scout_length / self._runner.length

    @property
    def promise(self) -> float:
        """The lowest loss of a short trial."""
        return self._scouts.loss

    def settle(self) -> None:
        """Train to the end at two rates.

        The first rate is far too high if most of the gain of a short trial is lost again.
        """
        start, leans_up = math.log10(self.found.rate), self._scouts.leans_up
        too_high = (self.promise + self._runner.began) / 2
        settle(self._finals, start, _RATES, leans_up, too_high)
        self.losses.append(self._finals.loss)

    @property
    def unsure(self) -> float:
        """The difference of the losses at the two rates; 0 if they were not tried."""
        losses = [loss for _, loss in self._finals.points]
        return max(losses) - min(losses) if losses else 0.0

    def train(self, order: int) -> None:
        """Train to the end in another order of the data."""
        loss = self._runner.measure(self.found.rate, self._runner.length, order)
        self.losses.append(loss if loss < self._runner.began else self._runner.began)

    @property
    def found(self) -> Found:
        """Its best rate so far."""
        measured, length = self._scout_length, self._runner.length
        if len(self._finals):
            rate = 10 ** self._finals.points[self._finals.best][0]
        else:
            rate = 10**self._scouts.lowest * shift(measured, length, self._passes)
        return Found(rate, decades_of_trials(measured, length, self._passes))
