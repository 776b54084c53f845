"""How good a setting is that `compare` picks: `python -m benchmarks.compared`.

Each task is trained at three weight decays by three momenta, and at a grid of rates with each: the
truth, in the mean of two orders of the batches, and what a grid search would spend. `compare`
picks a setting by its race of trials, and by sweeps. A setting counts as what it comes to at its
best rate, or at the one that is suggested.

Nothing is to be told apart where all settings are one and the same, on batches of other orders.

The trials are bare trainings, by the rule of the race. What was trained is in a file.
"""

import argparse
import sys
from itertools import islice, product
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np
from tqdm import tqdm

from gluon_lr import LRFinder
from gluon_lr._mxnet import mx
from gluon_lr.finder.compare import lowest
from gluon_lr.finder.race import Finish, Runner, race, updates_of
from gluon_lr.finder.told_apart import told_apart
from gluon_lr.finder.usual import usual_rate

from .cases import JUDGED, RATES, WORST, Case
from .leaderboard import ALLOWED
from .measure import Row
from .memory import Memory, name_of
from .random_tasks import random_tasks
from .tasks import Task, make_problem

FILE = Path(__file__).with_name("compared.json.gz")
LENGTH, SEED = 250, 42
TASKS, CANDIDATES = 20, 200
MOMENTUM = {"sgd": "momentum", "nag": "momentum", "adam": "beta1", "nadam": "beta1"}
DECAYS, MOMENTA = (0.0, 1e-4, 1e-3), (0.8, 0.9, 0.95)
REPEATS = 3  # of a sweep
ALIKE = 3  # settings that are one and the same
TIMES = 3  # that these are compared, each in other orders
FIRST_ORDER = 1  # of the data, in which settings are compared
JUDGED_BY = JUDGED, 50  # orders whose mean is the truth


class Setting(NamedTuple):
    """One of the grid."""

    wd: float
    mom: float


SETTINGS = [Setting(*pair) for pair in product(DECAYS, MOMENTA)]
USUAL = Setting(0.0, 0.9)


class Picked(NamedTuple):
    """What one way of comparing came to in one task.

    Attributes
    ----------
    at_best, at_suggested : float
        What share of the achievable improvement the setting misses at the better one of its best
        rate and the suggested one, and at that one.
    updates : int
        What it took.
    """

    at_best: float
    at_suggested: float
    updates: int


def with_setting(task: Task, setting: Setting) -> Task:
    """Return the task with another weight decay and momentum."""
    params = {**(task.optimizer_params or {}), "wd": setting.wd}
    params[MOMENTUM[task.optimizer]] = setting.mom
    name = f"{task.name} / wd {setting.wd:g} / mom {setting.mom:g}"
    return task._replace(name=name, optimizer_params=params)


class Grid:
    """A task at all settings.

    Parameters
    ----------
    task : Task
        By an optimizer with a momentum.
    memory : Memory
        What has been trained before.
    """

    def __init__(self, task: Task, memory: Memory) -> None:
        self.task = task
        self._memory = memory
        self._cases = {
            setting: Case(with_setting(task, setting), 0, LENGTH, memory) for setting in SETTINGS
        }

    @property
    def is_usable(self) -> bool:
        """Whether the best rate is at least 10 % better than the smallest, as the task usually is.

        The optimizer has a momentum.
        """
        truth = self._cases[USUAL].truth(JUDGED)
        return truth.best < 0.9 * truth.losses[0]

    # -- the truth ---------------------------------------------------------------------------

    def shortfalls(self) -> Dict[Setting, float]:
        """Return what share of the improvement each setting misses at its best rate."""
        return {setting: self._missed(min(losses)) for setting, losses in self._truth.items()}

    @property
    def _truth(self) -> Dict[Setting, List[float]]:
        """The loss of each setting at each rate, in the mean of the orders that judge."""
        return {setting: [self._loss(setting, lr) for lr in RATES] for setting in self._cases}

    def _loss(self, setting: Setting, lr: float) -> float:
        case = self._cases[setting]
        return float(np.mean([case.loss(lr, LENGTH, order) for order in JUDGED_BY]))

    def _missed(self, loss: float) -> float:
        truth = self._truth.values()
        best, worst = min(map(min, truth)), max(losses[0] for losses in truth)
        return min((loss - best) / (worst - best), WORST)

    def _picked(self, setting: Setting, lr: Optional[float], updates: int) -> Picked:
        lr = RATES[0] if lr is None else float(name_of(lr))
        suggested = self._missed(self._loss(setting, lr))
        return Picked(min(suggested, self.shortfalls()[setting]), suggested, updates)

    # -- ways of comparing ---------------------------------------------------------------------

    def raced(self) -> Picked:
        """Let the settings race."""
        runners = [self._runner(case, FIRST_ORDER) for case in self._cases.values()]
        counted, updates = counting(runners)
        finishes = run(counted, self._cases[USUAL].passes)
        best = min(range(len(SETTINGS)), key=lambda n: rank(finishes[n]))
        return self._picked(SETTINGS[best], finishes[best].found.rate, sum(updates))

    def swept(self) -> Picked:
        """Compare sweeps."""
        sweeps = {
            setting: [self._sweep(case.task, FIRST_ORDER + n) for n in range(REPEATS)]
            for setting, case in self._cases.items()
        }
        best = min(sweeps, key=lambda one: np.mean([loss for _, loss, _ in sweeps[one]]))
        lr = np.median([lr or RATES[0] for lr, _, _ in sweeps[best]])
        updates = sum(updates for several in sweeps.values() for _, _, updates in several)
        return self._picked(best, float(lr), updates)

    # -- one and the same -----------------------------------------------------------------------

    def wins_by_chance(self) -> Tuple[List[bool], List[bool]]:
        """Say whether one of several that are alike is told apart, in sweeps and in races."""
        case, orders = self._cases[USUAL], iter(range(100, 1000, 10))
        by_sweeps, by_races = [], []
        for _ in range(TIMES):
            firsts = list(islice(orders, ALIKE))
            losses = [
                [self._sweep(case.task, first + n)[1] for n in range(REPEATS)] for first in firsts
            ]
            by_sweeps.append(any(told_apart(losses).apart))
            finishes = run([self._runner(case, first) for first in firsts], case.passes)
            by_races.append(any(one.dropped for one in finishes) or any_apart(finishes))
        return by_sweeps, by_races

    # -- trainings ------------------------------------------------------------------------------

    def _runner(self, case: Case, first: int) -> Runner:
        optimizer = mx.optimizer.create(case.task.optimizer, **(case.task.optimizer_params or {}))

        def measure(lr: float, updates: int, order: int) -> float:
            return case.loss(float(name_of(lr)), updates, first + order)

        began = case.loss(RATES[0], LENGTH, JUDGED)
        return Runner(measure, lambda updates: usual_rate(optimizer, updates), began, LENGTH)

    def _sweep(self, task: Task, order: int) -> Tuple[Optional[float], float, int]:
        """Return a sweep's suggestion, its lowest smoothed loss and its updates."""
        key = f"sweep / {task.name} / order {order}"
        if key not in self._memory.answers:
            self._memory.before_adding(key)
            learner = make_problem(task, 0, order).learner
            result = LRFinder(learner).find(progress=False, length=LENGTH)
            self._memory.answers[key] = [result.suggestion, lowest(result), len(result)]
        lr, loss, updates = self._memory.answers[key]
        return lr, loss, updates


def run(runners: List[Runner], passes: float) -> List[Finish]:
    """Let them race, for as much as `compare` spends by default."""
    return race(runners, updates_of(len(runners), LENGTH) / LENGTH, passes)


def rank(finish: Finish) -> Tuple[bool, float]:
    """Return what the best has least of."""
    return finish.dropped, float(np.mean(finish.losses)) if finish.losses else WORST


def any_apart(finishes: List[Finish]) -> bool:
    """Say whether some that came to the end are told apart."""
    ended = [one for one in finishes if not one.dropped]
    return any(told_apart([one.losses for one in ended], [one.unsure for one in ended]).apart)


def counting(runners: List[Runner]) -> Tuple[List[Runner], List[int]]:
    """Return runners that note the updates they make in a list."""
    updates: List[int] = []

    def counted(measure: Callable[[float, int, int], float]) -> Callable[..., float]:
        def measured(lr: float, length: int, order: int) -> float:
            updates.append(length)
            return measure(lr, length, order)

        return measured

    return [one._replace(measure=counted(one.measure)) for one in runners], updates


# -- the tasks -----------------------------------------------------------------------------------


def has_momentum(task: Task) -> bool:
    """Say whether the task's optimizer has one."""
    plain = task.optimizer == "sgd" and not (task.optimizer_params or {}).get("momentum")
    return task.optimizer in MOMENTUM and not plain


def grids(memory: Memory, seed: int = SEED) -> Iterable[Grid]:
    """Yield the first random tasks with a momentum that a rate matters in."""
    drawn = (Grid(one, memory) for one in random_tasks(seed, CANDIDATES) if has_momentum(one))
    return islice((one for one in drawn if one.is_usable), TASKS)


# -- the table -----------------------------------------------------------------------------------


def lines(memory: Memory) -> Iterator[str]:
    """Yield the lines of the tables."""
    outcomes = [
        (grid.shortfalls(), grid.raced(), grid.swept(), grid.wins_by_chance())
        for grid in tqdm(grids(memory), total=TASKS, leave=False)
    ]
    memory.save()
    spent_by_grid = len(SETTINGS) * len(RATES) * LENGTH
    yield (
        "| picked by | within 5 % | worst | mean | within 5 % at its suggested rate | worst | "
        "updates, of a grid search |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|"
    ways = {
        "a race, `compare(grid=True, tune=True)`": [raced for _, raced, _, _ in outcomes],
        "sweeps, `compare(grid=True)`": [swept for _, _, swept, _ in outcomes],
    }
    for name, picked in ways.items():
        best, suggested, updates = map(np.array, zip(*picked))
        yield (
            f"| {name} | {np.mean(best <= ALLOWED):.0%} | {best.max():.2f} | {best.mean():.3f} | "
            f"{np.mean(suggested <= ALLOWED):.0%} | {suggested.max():.2f} | "
            f"{updates.max() / spent_by_grid:.2f} |"
        )
    chance = np.array([list(all_.values()) for all_, _, _, _ in outcomes])
    worst = chance.max(axis=1)
    yield (
        f"| chance, one of the nine | {np.mean(chance <= ALLOWED):.0%} | {worst.max():.2f} | "
        f"{chance.mean():.3f} | | | |"
    )
    for name, wins in zip(("sweeps", "races"), zip(*(wins for _, _, _, wins in outcomes))):
        cases = np.concatenate(wins)
        yield f"\n{ALIKE} that are alike, told apart by {name}: {cases.sum()} of {len(cases)}"


def rows() -> Iterator[Row]:
    """Yield the share of the tasks in which the setting loses more than is allowed."""
    memory = Memory(FILE, is_complete=True)
    picked = [grid.raced() for grid in grids(memory)]
    lost = float(np.mean([one.at_best > ALLOWED for one in picked]))
    yield Row("compare(tune=True): more than 5 % lost", f"{len(picked)} tasks", lost, 0.1)
    spent = max(one.updates for one in picked) / (len(SETTINGS) * len(RATES) * LENGTH)
    yield Row("compare(tune=True): updates", "a grid search", spent, 0.2)


def main(arguments: Optional[List[str]] = None) -> int:
    """Compute what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.parse_args(arguments)
    print("\n".join(lines(Memory(FILE))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
