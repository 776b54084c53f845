"""The ways to a rate that the leaderboard compares: from a Case to a rate and its updates."""

from typing import Dict

import numpy as np

from gluon_lr import Learner, LRFinder
from gluon_lr._mxnet import mx
from gluon_lr.finder import LRFinderResult, lr_find
from gluon_lr.finder.climb import climb, plan
from gluon_lr.finder.suggest import FASTAI
from gluon_lr.finder.usual import (
    DECADES_OF_USUAL,
    decades_of_sweep,
    shift_of_sweep,
    usual_rate,
)

from .cases import RATES, Answer, Case, Way
from .peer_rules import PEERS, Peer
from .tasks import Task

BUDGETS = {  # in trainings, and whether the best one is kept
    "tune(budget=220)": (0.88, False),
    "tune(budget=450)": (1.8, False),
    "tune(budget=950, keep=True)": (3.8, True),
    "tune(budget=1350, keep=True)": (5.4, True),
    "tune(budget=950)": (3.8, False),
    "tune(budget=1350)": (5.4, False),
}
BARELY = 1e-7, 10  # a rate and updates that change nothing


def find(case: Case) -> Answer:
    """Search as `find()` does by default."""
    result = LRFinder(case.problem().learner).find(progress=False)
    return Answer(result.suggestion, len(result))


def found(case: Case) -> Answer:
    """Search for the length: a plain search's rate, lowered or raised."""
    said, _ = case.answer("search", find, is_for_length=False)
    if said.rate is None:
        return said
    rate = float(np.clip(said.rate * shift_of_sweep(case.length), 1e-6, 10))
    return Answer(rate, said.updates, decades_of_sweep(case.passes))


def found_or_usual(case: Case) -> Answer:
    """Search, and take the optimizer's usual rate where the search refuses."""
    said = found(case)
    return said if said.rate is not None else fixed(case)._replace(updates=said.updates)


def refined(case: Case) -> Answer:
    """Search, and again around what was suggested, with an eye on held-out data."""
    problem = case.problem()
    finder = LRFinder(problem.learner)
    result = finder.find(
        progress=False, refine=True, validation=problem.validation, length=case.length
    )
    return Answer(result.suggestion, len(result) + len(result.refined or ()))


def tuned(trainings: float, keep: bool) -> Way:
    """Make the way of trials, for so many trainings' updates.

    They are bare trainings, by the rule of `LRFinder.tune`.
    """

    def way(case: Case) -> Answer:
        updates = 0

        def measure(lr: float, length: int) -> float:
            nonlocal updates
            updates += length
            return case.measure(lr, length)

        found = climb(
            measure,
            case.measure(*BARELY),
            lambda length: usual_rate(optimizer_of(case.task), length) or 0.01,
            case.length,
            plan(case.length, int(trainings * case.length), keep),
            keep,
            case.passes,
        )
        return Answer(found.rate, updates, found.decades, keep)

    return way


def fastai_search(learner: Learner) -> LRFinderResult:
    """Search as fastai does."""
    return lr_find(learner, progress=False)


def fastai(rule: str) -> Way:
    """Make the way of one of fastai's rules."""

    def way(case: Case) -> Answer:
        result = case.searched(fastai_search)
        return Answer(result.suggestions[rule], len(result))

    return way


def as_peer(peer: Peer) -> Way:
    """Make the way of another library."""

    def way(case: Case) -> Answer:
        finder = LRFinder(case.problem().learner)
        result = finder.find(
            lr_start=peer.first,
            lr_end=peer.last,
            num_iter=peer.updates,
            stop=peer.stops,
            progress=False,
        )
        return Answer(peer.rule(result.lrs, peer.smooth(result.losses)), len(result))

    return way


def optimizer_of(task: Task) -> mx.optimizer.Optimizer:
    """Make a task's optimizer."""
    return mx.optimizer.create(task.optimizer, **(task.optimizer_params or {}))


def fixed(case: Case) -> Answer:
    """Do not search."""
    rate = usual_rate(optimizer_of(case.task), case.length, case.passes)
    return Answer(rate, 0, DECADES_OF_USUAL)


def whole_grid(case: Case) -> Answer:
    """Try the whole grid at the full length, in another order of the batches."""
    losses = [case.measure(lr) for lr in RATES]
    return Answer(RATES[int(np.argmin(losses))], case.length * len(RATES))


SEARCHES: Dict[str, Way] = {  # the same rate for every length
    **{f"fastai's {rule}": fastai(rule) for rule in FASTAI},
    "fastai 1's min_grad": fastai("min_grad"),
    **{name: as_peer(peer) for name, peer in PEERS.items()},
}
TRIALS: Dict[str, Way] = {  # a rate for the length
    "find(length=)": found,
    "find(length=), the usual rate where it refuses": found_or_usual,
    "find(length=, refine=True, validation=)": refined,
    **{name: tuned(*budget) for name, budget in BUDGETS.items()},
    "the optimizer's usual rate": fixed,
    "the whole grid, in another order": whole_grid,
}
