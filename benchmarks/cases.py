"""One task, seed and length of training: what a way to a rate works on and is judged by."""

import math
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from gluon_lr import Learner
from gluon_lr.finder import LRFinderResult
from gluon_lr.finder.climb import vertex

from .bare_training import held_out_loss
from .memory import Memory, name_of, shortened
from .tasks import Problem, Task, drawn, make_problem

RATES = [float(name_of(10**exponent)) for exponent in np.arange(-4, 1.01, 0.5)]
JUDGED, TRIED = 0, 1  # orders of the batches: of the training that counts, and of all before it
WORST = 2.0  # no shortfall counts for more, however a loss has exploded


class Answer(NamedTuple):
    """What a way says.

    Attributes
    ----------
    rate : float or None
        None for none.
    updates : int
        What it took.
    decades : float, optional
        How far from the rate, up and down, it says that the best one lies, for 4 of 5.
    kept : bool
        Whether the training at the rate is among these updates, and stays.
    """

    rate: Optional[float]
    updates: int
    decades: Optional[float] = None
    kept: bool = False


Way = Callable[["Case"], Answer]
Search = Callable[[Learner], LRFinderResult]


class Outcome(NamedTuple):
    """What one way to a rate came to in one case."""

    task: str
    shortfall: float
    updates: int
    seconds: float
    holds: Optional[bool] = None  # whether the best rate is in the way's interval


class Truth:
    """The losses over the grid of rates.

    The shortfall of a loss is the share of the achievable improvement that it misses:

        (loss - best of the grid) / (loss at the smallest rate - best of the grid)

    None counts for more than 2.
    """

    def __init__(self, losses: List[float]) -> None:
        self.losses = losses
        self.best = min(losses)
        self.span = losses[0] - self.best

    @property
    def best_rate(self) -> float:
        """The best rate of the grid."""
        return RATES[int(np.argmin(self.losses))]

    @property
    def lowest(self) -> float:
        """Where the parabola through the best of the grid and its neighbours is lowest."""
        best = int(np.argmin(self.losses))
        if not 0 < best < len(RATES) - 1:
            return self.best_rate
        capped = np.minimum(self.losses, self.losses[0])
        near = range(best - 1, best + 2)
        return float(10 ** vertex([(math.log10(RATES[n]), capped[n]) for n in near]))

    def shortfall(self, loss: float) -> float:
        """Return the share that a loss misses."""
        return min((loss - self.best) / self.span, WORST)


class Case:
    """A task with its data, split and weights drawn from a seed, to be trained for a length.

    Parameters
    ----------
    task : Task
        What is trained.
    seed : int
        What data, split and weights are drawn from.
    length : int
        Updates of the training that the rate is for.
    memory : Memory
        What has been trained before, and is not trained again.
    """

    def __init__(self, task: Task, seed: int, length: int, memory: Memory) -> None:
        self.task, self.seed, self.length = task, seed, length
        self._memory = memory
        self._key = f"{task.name} / seed {seed}"
        self._searches: Dict[Search, Tuple[LRFinderResult, float]] = {}
        self._not_counted = 0.0

    # -- what a way may use ------------------------------------------------------------------

    def problem(self) -> Problem:
        """Make the task anew, for a search. The time is not counted."""
        start = time.perf_counter()
        problem = make_problem(self.task, self.seed, TRIED)
        self._not_counted += time.perf_counter() - start
        return problem

    def searched(self, search: Search) -> LRFinderResult:
        """Return what a search of several ways finds. It is made once, its time counts always."""
        if search not in self._searches:
            learner, start = self.problem().learner, time.perf_counter()
            self._searches[search] = search(learner), time.perf_counter() - start
            self._not_counted += self._searches[search][1]
        result, seconds = self._searches[search]
        self._not_counted -= seconds
        return result

    def measure(self, lr: float, length: Optional[int] = None) -> float:
        """Return the held-out loss of a trial, which is remembered, rate by four digits.

        Its time counts as that of a bare training, remembered or not.
        """
        length = length or self.length
        start = time.perf_counter()
        usual = self._seconds(length)
        loss = self.loss(lr, length, TRIED)
        self._not_counted += time.perf_counter() - start - usual
        return loss

    @property
    def passes(self) -> float:
        """How often a training goes through its data."""
        samples = len(drawn(self.task.data, self.seed)[0][0])
        return self.length * self.task.batch_size / samples

    # -- what a way is judged by -------------------------------------------------------------

    def loss(self, lr: float, length: int, order: int) -> float:
        """Return the held-out loss of a training, which is remembered."""
        key, rate = f"{length} / {self._key} / order {order}", name_of(lr)
        losses = self._memory.losses.setdefault(key, {})
        if rate not in losses:
            self._memory.before_adding(f"{key} / rate {rate}")
            losses[rate] = shortened(
                held_out_loss(self.task, self.seed, order, float(rate), length)
            )
        loss = losses[rate]
        return math.inf if loss is None else loss

    def truth(self, order: int = JUDGED) -> Truth:
        """Return the losses over the grid."""
        return Truth([self.loss(lr, self.length, order) for lr in RATES])

    def answer(self, name: str, way: Way, is_for_length: bool) -> Tuple[Answer, float]:
        """Return what a way says, which is remembered, and how many seconds it took."""
        key = f"{self.length if is_for_length else 'any'} / {self._key} / {name}"
        if key not in self._memory.answers:
            self._memory.before_adding(key)
            start, self._not_counted = time.perf_counter(), 0.0
            said = way(self)
            seconds = time.perf_counter() - start - self._not_counted
            rate = None if said.rate is None else float(name_of(said.rate))
            decades = None if said.decades is None else float(f"{said.decades:.3g}")
            took = float(f"{seconds:.3g}")
            self._memory.answers[key] = [rate, said.updates, took, decades, said.kept]
        rate, updates, seconds, *more = self._memory.answers[key]
        return Answer(rate, updates, *more), seconds

    def outcome(self, name: str, way: Way, is_for_length: bool) -> Outcome:
        """Train at the rate a way says; no rate at all is as good as the smallest.

        What was kept has been trained.
        """
        said, seconds = self.answer(name, way, is_for_length)
        lr = RATES[0] if said.rate is None else said.rate
        loss = self.loss(lr, self.length, TRIED if said.kept else JUDGED)
        truth, holds = self.truth(), None
        if said.decades is not None:
            holds = abs(math.log10(truth.lowest / lr)) <= said.decades
        return Outcome(self.task.name, truth.shortfall(loss), said.updates, seconds, holds)

    @property
    def is_usable(self) -> bool:
        """Whether the rate matters, and more than the order of the batches does.

        The best of the grid is at least 10 % better than the smallest rate, and the best in
        another order of the batches loses at most 15 %.
        """
        truth = self.truth()
        if not truth.best < 0.9 * truth.losses[0]:
            return False
        other = self.truth(TRIED).best_rate
        return truth.shortfall(self.loss(other, self.length, JUDGED)) <= 0.15

    def _seconds(self, length: int) -> float:
        """Return how long a training takes."""
        key, seconds = f"{length} / {self.task.name}", self._memory.seconds
        if key not in seconds:
            start = time.perf_counter()
            held_out_loss(self.task, self.seed, TRIED, RATES[0], length)  # which does not diverge
            seconds[key] = float(f"{time.perf_counter() - start:.3g}")
        return seconds[key]
