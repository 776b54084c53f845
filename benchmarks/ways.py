"""The ways to a rate that the leaderboard compares: from a Case to a rate and its updates."""

from typing import Dict

import numpy as np

from gluon_lr import Learner, LRFinder
from gluon_lr.finder import LRFinderResult, lr_find
from gluon_lr.finder.suggest import FASTAI

from .cases import RATES, Answer, Case, Way
from .peer_rules import PEERS, Peer
from .tasks import Task

USUAL = {  # the best rate of an optimizer for 250 updates, fitted on some 300 other random tasks
    "sgd": 0.45,
    "momentum": 0.09,
    "nag": 0.09,
    "adam": 0.025,
    "rmsprop": 0.028,
    "adamax": 0.09,
    "nadam": 0.011,
    "adagrad": 0.14,
    "ftml": 0.08,
    "signum": 0.009,
    "lamb": 0.025,
}


def found(case: Case) -> Answer:
    """Search as `find()` does by default."""
    result = LRFinder(case.problem().learner).find(progress=False)
    return result.suggestion, len(result)


def refined(case: Case) -> Answer:
    """Search, and again around what was suggested."""
    result = LRFinder(case.problem().learner).find(progress=False, refine=True)
    return result.suggestion, len(result) + len(result.refined or ())


def fastai_search(learner: Learner) -> LRFinderResult:
    """Search as fastai does."""
    return lr_find(learner, progress=False)


def fastai(rule: str) -> Way:
    """Make the way of one of fastai's rules."""

    def way(case: Case) -> Answer:
        result = case.searched(fastai_search)
        return result.suggestions[rule], len(result)

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
        return peer.rule(result.lrs, peer.smooth(result.losses)), len(result)

    return way


def usual_rate(task: Task, length: int) -> float:
    """Return the optimizer's usual best rate, less the longer the training."""
    has_momentum = task.optimizer == "sgd" and (task.optimizer_params or {}).get("momentum")
    usual = USUAL["momentum" if has_momentum else task.optimizer]
    return usual * (250 / length) ** (1 / 3)


def fixed(case: Case) -> Answer:
    """Do not search."""
    return usual_rate(case.task, case.length), 0


def whole_grid(case: Case) -> Answer:
    """Try the whole grid at the full length, in another order of the batches."""
    losses = [case.measure(lr) for lr in RATES]
    return RATES[int(np.argmin(losses))], case.length * len(RATES)


SEARCHES: Dict[str, Way] = {  # the same rate for every length
    "find()": found,
    "find(refine=True)": refined,
    **{f"fastai's {rule}": fastai(rule) for rule in FASTAI},
    "fastai 1's min_grad": fastai("min_grad"),
    **{name: as_peer(peer) for name, peer in PEERS.items()},
}
TRIALS: Dict[str, Way] = {  # a rate for the length
    "a fixed rate an optimizer": fixed,
    "the whole grid, in another order": whole_grid,
}
