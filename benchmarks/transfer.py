"""How good a rate is that is transferred to another schedule: `python -m benchmarks.transfer`.

Each task is trained under six schedules at a grid of rates. The best rate under one is transferred
to the others, and from the short trainings under each to the longer ones, by `gluon_lr.transfer`
and by two simpler rules, and trained with. The tables say what share of the improvement that the
best of the other schedule's grid brings is missed.
"""

import itertools
import statistics
import sys
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Tuple

import numpy as np
from tqdm import tqdm

from gluon_lr import (
    ConstantSchedule,
    CosineScheduler,
    InverseSqrtScheduler,
    LinearCoolDown,
    LinearWarmUp,
    PolyScheduler,
    Schedule,
    transfer,
)

from .bare_training import loss_under, one_cycle
from .cases import JUDGED, WORST
from .leaderboard import ALLOWED
from .measure import Row
from .memory import name_of
from .tasks import REPORTED_ON, Task

SHORT, LONG = 60, 250
SEEDS = (0, 1)
GRID = [float(name_of(10**exponent)) for exponent in np.arange(-4, 1.01, 0.2)]  # times 1.58
LEFT_OUT = ("digits, CNN, both", "pixels, deep MLP", "waves, GRU")  # for time alone
COLUMNS = """\
at most 5 % | at most 15 % | median | worst | cases |
|---|---|---:|---:|---:|---:|---:|"""
OWN = "its own best, of one seed in the other"

Rule = Callable[[float, Schedule, Schedule, int, int], float]


def warm_up_stable_decay(lr: float, length: int) -> Schedule:
    """Make a climb over a tenth, and a fall to 0 over the last fifth."""
    climb, fall = round(0.1 * length), round(0.2 * length)
    stable = LinearCoolDown(ConstantSchedule(lr), 0, length - climb - fall, fall)
    return LinearWarmUp(stable, 0, climb)


def same_sum(
    lr: float, from_: Schedule, to: Schedule, from_iterations: int, to_iterations: int
) -> float:
    """Return the rate at which the rates of the training have the same sum."""
    before, after = (
        schedule.values(range(1, length + 1)).sum()
        for schedule, length in ((from_, from_iterations), (to, to_iterations))
    )
    return lr * float(before / after)


SCHEDULES: Dict[str, Callable[[float, int], Schedule]] = {  # of a highest rate and a length
    "constant": lambda lr, length: ConstantSchedule(lr),
    "cosine": lambda lr, length: CosineScheduler(length, lr),
    "linear": lambda lr, length: PolyScheduler(length, lr, pwr=1),
    "warm-up, stable, decay": warm_up_stable_decay,
    "1-cycle": one_cycle,
    "inverse square root": lambda lr, length: InverseSqrtScheduler(round(0.1 * length), lr),
}
RULES: Dict[str, Rule] = {
    "transfer": transfer,
    "the same highest rate": lambda lr, *_: lr,
    "the same sum of rates": same_sum,
}


class Outcome(NamedTuple):
    """What a rule's rate came to."""

    rule: str
    from_: str
    to: str
    from_iterations: int
    shortfall: float


class Trainings:
    """The trainings of one task under one schedule and of one length."""

    def __init__(self, task: Task, schedule: str, length: int) -> None:
        self.schedule, self.length = schedule, length
        self._task = task
        self._losses: Dict[Tuple[str, int], float] = {}
        lowest = min(range(0, len(GRID), 2), key=lambda n: self._loss(GRID[n], SEEDS[0]))
        self._rates = GRID[max(lowest - 2, 0) : lowest + 3]

    def shape(self) -> Schedule:
        """Return the schedule with 1 for its highest rate."""
        return SCHEDULES[self.schedule](1.0, self.length)

    @property
    def best_rate(self) -> float:
        """The best rate of the grid, in the mean of the seeds."""
        return min(self._rates, key=self.loss)

    @property
    def is_usable(self) -> bool:
        """Whether the rate matters: the best is at least 10 % better than the smallest."""
        return self.loss(self.best_rate) < 0.9 * self.loss(GRID[0])

    def loss(self, lr: float) -> float:
        """Return the mean held-out loss of the seeds."""
        return statistics.mean(self._loss(lr, seed) for seed in SEEDS)

    def shortfall(self, lr: float) -> float:
        """Return the share of the best rate's improvement that another one misses."""
        best = self.loss(self.best_rate)
        return min((self.loss(lr) - best) / (self.loss(GRID[0]) - best), WORST)

    def shortfall_of_own(self) -> float:
        """Return what the best rate of the first seed misses in the second."""
        found, judged = ({lr: self._loss(lr, seed) for lr in self._rates} for seed in SEEDS)
        best = min(judged.values())
        missed = judged[min(found, key=found.__getitem__)] - best
        return min(missed / (self._loss(GRID[0], SEEDS[1]) - best), WORST)

    def _loss(self, lr: float, seed: int) -> float:
        key = name_of(lr), seed
        if key not in self._losses:
            schedule = SCHEDULES[self.schedule](float(key[0]), self.length)
            self._losses[key] = loss_under(schedule, self._task, seed, JUDGED, self.length)
        return self._losses[key]


# -- outcomes ------------------------------------------------------------------------------------


def outcomes_of(task: Task) -> List[Outcome]:
    """Transfer the best rates of one task: between all schedules, and to the longer training."""
    short, long = (
        [Trainings(task, name, length) for name in SCHEDULES] for length in (SHORT, LONG)
    )
    pairs = [*itertools.permutations(long, 2), *zip(short, long)]
    found = [
        Outcome(OWN, own.schedule, own.schedule, LONG, own.shortfall_of_own())
        for own in long
        if own.is_usable
    ]
    for (before, after), (name, rule) in itertools.product(pairs, RULES.items()):
        if after.is_usable:
            lr = rule(before.best_rate, before.shape(), after.shape(), before.length, after.length)
            shortfall = after.shortfall(lr)
            found.append(Outcome(name, before.schedule, after.schedule, before.length, shortfall))
    return found


def all_outcomes() -> List[Outcome]:
    """Return those of all tasks but a few."""
    tasks = [task for task in REPORTED_ON if task.name not in LEFT_OUT]
    return [one for task in tqdm(tasks, leave=False) for one in outcomes_of(task)]


# -- the tables ----------------------------------------------------------------------------------


def figures(outcomes: Iterable[Outcome]) -> str:
    """Return the cells that sum outcomes up."""
    lost = np.array([one.shortfall for one in outcomes])
    return (
        f"{np.mean(lost <= ALLOWED):.0%} | {np.mean(lost <= 0.15):.0%} | {np.median(lost):.3f} | "
        f"{lost.max():.2f} | {len(lost)}"
    )


def lines(outcomes: List[Outcome]) -> Iterator[str]:
    """Yield the lines of the tables: of each rule, and of `transfer` by schedule."""
    by_length = {
        f"another schedule, {LONG} updates": LONG,
        f"the same schedule, {SHORT} to {LONG} updates": SHORT,
    }
    yield f"| to | rate by | {COLUMNS}"
    for title, length in by_length.items():
        for rule in [*RULES, OWN]:
            own = [one for one in outcomes if one.rule == rule and one.from_iterations == length]
            if own:
                yield f"| {title} | {rule} | {figures(own)} |"
    yield f"\n| schedule | transferred | {COLUMNS}"
    moved = [one for one in outcomes if one.rule == "transfer" and one.from_iterations == LONG]
    for schedule in SCHEDULES:
        yield f"| {schedule} | from it | {figures(o for o in moved if o.from_ == schedule)} |"
        yield f"| {schedule} | to it | {figures(o for o in moved if o.to == schedule)} |"


def rows() -> Iterator[Row]:
    """Yield the share of the cases in which more than is allowed is lost."""
    outcomes = all_outcomes()
    for rule in RULES:
        lost = [one.shortfall > ALLOWED for one in outcomes if one.rule == rule]
        share = float(np.mean(lost))
        yield Row(f"{rule}: more than {100 * ALLOWED:g} % lost", f"{len(lost)} cases", share)


def main() -> int:
    """Print the tables."""
    print("\n".join(lines(all_outcomes())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
