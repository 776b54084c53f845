"""How good a suggested rate is, beside the best of a grid: `python -m benchmarks.regret`.

The truth about a task is its validation loss after a 1-cycle of 250 updates at each highest
rate of a grid. It is kept in regret_truth.json; `--truth` computes what is not there yet. The
shortfall of a rate is the share of the achievable improvement that it loses:

    (its loss - best loss) / (loss at the smallest rate - best loss)

Its loss is read off the grid, by interpolation over the logarithm of the rate.
"""

import argparse
import json
import math
from collections import Counter
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np
from tqdm import tqdm

from gluon_lr import LRFinder, OneCycleSchedule
from gluon_lr.finder import lr_find
from gluon_lr.finder.suggest import FASTAI

from .measure import Row
from .tasks import CHOSEN_ON, REPORTED_ON, Task, make_problem

TRUTH = Path(__file__).with_name("regret_truth.json")
RATES = [float(f"{10**exponent:.6g}") for exponent in np.arange(-4, 1.01, 0.5)]
UPDATES = 250
SEEDS = range(3)
HALVES = {"tasks it was chosen on": CHOSEN_ON, "other tasks": REPORTED_ON}
ALLOWED = 0.05  # the shortfall that a good rate may have
LOST = f"more than {100 * ALLOWED:g} %"
WORST = 2.0  # no shortfall counts for more, however a loss has exploded


class Outcome(NamedTuple):
    """What one way to a rate came to on one task and seed."""

    task: str
    shortfall: float
    ratio: float
    updates: int


# -- the truth -----------------------------------------------------------------------------------


def key(task: Task, seed: int, order: int) -> str:
    """Name a grid in the file."""
    return f"{task.name} / seed {seed} / order {order}"


def loss_at(task: Task, seed: int, order: int, lr: float) -> Optional[float]:
    """Train by a 1-cycle; return the validation loss, None where it is not finite."""
    problem = make_problem(task, seed, order)
    schedule = OneCycleSchedule(lr / 10, lr, round(0.9 * UPDATES), round(0.1 * UPDATES), 0)
    for n in range(1, UPDATES + 1):
        if not math.isfinite(problem.learner.iteration(schedule(n))):
            return None
    loss = problem.validation_loss()
    return loss if math.isfinite(loss) else None


def compute_truth() -> None:
    """Add the grids that are not in the file."""
    known = json.loads(TRUTH.read_text()) if TRUTH.exists() else {}
    for task in tqdm(CHOSEN_ON + REPORTED_ON):
        for seed in SEEDS:
            for order in (0, 1):
                if key(task, seed, order) not in known:
                    losses = [loss_at(task, seed, order, lr) for lr in RATES]
                    known[key(task, seed, order)] = losses
                    TRUTH.write_text(json.dumps(known, indent=0))


class Truth:
    """The losses of one grid."""

    def __init__(self, losses: List[Optional[float]]) -> None:
        self.losses = np.array([math.inf if loss is None else loss for loss in losses])
        self.best = float(self.losses.min())
        self.span = float(self.losses[0]) - self.best

    def outcome(self, task: str, lr: Optional[float], updates: int) -> Outcome:
        """Read off how good a rate is; none at all is as good as the smallest rate."""
        shortfalls = np.minimum((self.losses - self.best) / self.span, WORST)
        place = np.log(RATES[0] if lr is None else lr)
        shortfall = float(np.interp(place, np.log(RATES), shortfalls))
        return Outcome(task, shortfall, 1 + shortfall * self.span / self.best, updates)


# -- the ways to a rate --------------------------------------------------------------------------


def ours(task: Task, seed: int) -> Dict[str, Tuple[Optional[float], int]]:
    """Search once, and again with refine, as the README does."""
    finder = LRFinder(make_problem(task, seed).learner)
    plain = finder.find(progress=False)
    refined = finder.find(progress=False, refine=True)
    spent = len(refined) + len(refined.refined or ())
    on_the_same = {
        f"fastai's {name}, on our curve": (plain.suggestions[name], len(plain)) for name in FASTAI
    }
    return {
        "find()": (plain.suggestion, len(plain)),
        "find(refine=True)": (refined.suggestion, spent),
        **on_the_same,
    }


def fastai(task: Task, seed: int) -> Dict[str, Tuple[Optional[float], int]]:
    """Search as fastai does: its rates, its stop, its rules."""
    result = lr_find(make_problem(task, seed).learner, progress=False)
    suggestions = result.suggestions
    return {f"fastai's {name}": (suggestions[name], len(result)) for name in FASTAI}


def grid_again(truth: Dict[str, Truth], task: Task, seed: int) -> Tuple[float, int]:
    """Take the best of the same grid, its batches in another order: as good as trying can be."""
    losses = truth[key(task, seed, 1)].losses
    return RATES[int(np.argmin(losses))], UPDATES * len(RATES)


def outcomes(tasks: List[Task], truth: Dict[str, Truth]) -> Dict[str, List[Outcome]]:
    """Go all ways on each of the tasks and seeds."""
    found: Dict[str, List[Outcome]] = {}
    for task in tqdm(tasks, leave=False):
        for seed in SEEDS:
            ways = {**ours(task, seed), **fastai(task, seed)}
            ways["the grid itself, in another order"] = grid_again(truth, task, seed)
            for name, (lr, updates) in ways.items():
                outcome = truth[key(task, seed, 0)].outcome(task.name, lr, updates)
                found.setdefault(name, []).append(outcome)
    return found


def shortfalls(results: List[Outcome]) -> np.ndarray:
    """Return what the rates of one way lose, each."""
    return np.array([result.shortfall for result in results])


def lines(found: Dict[str, List[Outcome]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield "| rate by | updates | at most 5 % | at most 15 % | worst | mean | loss / best, mean |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name, results in found.items():
        lost = shortfalls(results)
        ratio = np.mean([result.ratio for result in results])
        updates = np.mean([result.updates for result in results])
        yield (
            f"| {name} | {updates:.0f} | {np.mean(lost <= ALLOWED):.0%} | "
            f"{np.mean(lost <= 0.15):.0%} | {lost.max():.2f} | "
            f"{lost.mean():.3f} | {ratio:.2f} |"
        )


def misses(results: List[Outcome]) -> str:
    """Say on which tasks, and on how many seeds of each, more than 5 % were lost."""
    missed = Counter(result.task for result in results if result.shortfall > ALLOWED)
    return "; ".join(f"{task} ({count} of {len(SEEDS)})" for task, count in missed.items())


def known_truth() -> Dict[str, Truth]:
    """Read the file."""
    return {name: Truth(losses) for name, losses in json.loads(TRUTH.read_text()).items()}


def rows() -> Iterator[Row]:
    """Yield the share of the curves on which ours and fastai's lose more than is allowed."""
    truth = known_truth()
    for half, tasks in HALVES.items():
        found = outcomes(tasks, truth)
        for name in ("find()", "find(refine=True)", "fastai's minimum", "fastai's valley"):
            share = float(np.mean(shortfalls(found[name]) > ALLOWED))
            yield Row(f"{name}: {LOST} lost, {half}", "all curves", share)


def main() -> None:
    """Compute the truth, or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--truth", action="store_true", help="compute the grids that are missing")
    if parser.parse_args().truth:
        compute_truth()
        return
    truth = known_truth()
    for half, tasks in HALVES.items():
        found = outcomes(tasks, truth)
        print(f"\nThe {half}: {len(tasks)} tasks, {len(SEEDS)} seeds\n")
        print("\n".join(lines(found)))
        for name in ("find()", "find(refine=True)"):
            print(f"\n{name} loses {LOST} on: {misses(found[name])}.")


if __name__ == "__main__":
    main()
