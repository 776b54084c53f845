"""Does the noise scale say how the best rate grows: `python -m benchmarks.noise_scale`.

Random tasks are trained with batches of three sizes at a grid of rates, and the noise scale is
measured at the start and along a training. The tables compare the growth of the best rate from
one size to another with what the noise scale and three simpler rules say of it.
"""

import itertools
import math
import statistics
import sys
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np
from scipy.stats import spearmanr
from tqdm import tqdm

from gluon_lr import GradientNoiseScale, Learner
from gluon_lr._mxnet import mx

from .bare_training import held_out_loss, one_cycle
from .cases import JUDGED, RATES, TRIED, Truth
from .measure import Row
from .random_tasks import random_tasks
from .tasks import Batches, Task, drawn, make_net, order_seed

SEED, TASKS = 2026, 36
FEWEST = 400  # samples to train on
LEFT_OUT = ("CNN", "RNN", "GRU", "LSTM")  # for time alone
SIZES = (8, 32, 128)
LENGTH = 120  # updates, whatever the batch size
SEEDS = (0, 1)
TWO = [mx.cpu(0), mx.cpu(1)]
PAIRS = list(itertools.combinations(SIZES, 2))


class Outcome(NamedTuple):
    """What was measured of one task.

    Attributes
    ----------
    task : str
        Its name.
    adam : bool
        Whether it is trained by Adam, and else by SGD.
    best : dict
        From a batch size to the best rate, in the mean of the seeds.
    by_seed : list of dict
        The same of each seed alone.
    at_start, along : float
        The noise scale at the first weights, and over a training with the middle batch size at
        its best rate; infinite where noise hides the gradient.
    """

    task: str
    adam: bool
    best: Dict[int, float]
    by_seed: List[Dict[int, float]]
    at_start: float
    along: float


def predicted(noise: float, sizes: Tuple[int, int], adam: bool) -> float:
    """Return by how many decades the rate grows where it is lr_max / (1 + noise / size).

    With Adam it is the square root of that.
    """
    small, large = sizes
    ratio = large / small
    if math.isfinite(noise):
        ratio = (1 + noise / small) / (1 + noise / large)
    return math.log10(ratio) / (2 if adam else 1)


Rule = Callable[[Outcome, Tuple[int, int]], float]
RULES: Dict[str, Rule] = {
    "noise scale at the start": lambda one, sizes: predicted(one.at_start, sizes, one.adam),
    "noise scale over the training": lambda one, sizes: predicted(one.along, sizes, one.adam),
    "the same rate": lambda one, sizes: 0.0,
    "sqrt(B)": lambda one, sizes: math.log10(sizes[1] / sizes[0]) / 2,
    "B": lambda one, sizes: math.log10(sizes[1] / sizes[0]),
}


def growth(best: Dict[int, float], sizes: Tuple[int, int]) -> float:
    """Return by how many decades the best rate grows from one size to another."""
    return math.log10(best[sizes[1]] / best[sizes[0]])


# -- outcomes ------------------------------------------------------------------------------------


def chosen() -> List[Task]:
    """Return the first random tasks of SGD or Adam that have enough samples."""
    suitable = (
        task
        for task in random_tasks(SEED, 200)
        if task.optimizer in ("sgd", "adam")
        and not any(word in task.name for word in LEFT_OUT)
        and len(drawn(task.data, SEEDS[0])[0][0]) >= FEWEST
    )
    return list(itertools.islice(suitable, TASKS))


def outcome_of(task: Task) -> Optional[Outcome]:
    """Measure one task; None where a rate does not matter, or the best is at an end of the grid."""
    best: Dict[int, float] = {}
    by_seed: List[Dict[int, float]] = [{} for _ in SEEDS]
    for size in SIZES:
        sized = task._replace(batch_size=size)
        losses = [
            [held_out_loss(sized, seed, JUDGED, lr, LENGTH) for lr in RATES] for seed in SEEDS
        ]
        truth = Truth(np.mean(losses, axis=0).tolist())
        if truth.best_rate in (RATES[0], RATES[-1]) or not truth.best < 0.9 * truth.losses[0]:
            return None
        best[size] = truth.lowest
        for found, own in zip(by_seed, losses):
            found[size] = Truth(own).lowest
    middle = task._replace(batch_size=SIZES[1])
    along = one_cycle(best[SIZES[1]], LENGTH)
    scales = noise_scale(middle, lambda n: 0.0), noise_scale(middle, along)
    return Outcome(task.name, task.optimizer == "adam", best, by_seed, *scales)


def noise_scale(task: Task, schedule: Callable[[int], float]) -> float:
    """Return the noise scale over the updates of a training on two contexts."""
    trained, _ = drawn(task.data, SEEDS[0])
    net = make_net(task, SEEDS[0])
    net(mx.nd.array(trained[0][:1]))  # to know the shapes
    for parameter in net.collect_params().values():
        parameter.reset_ctx(TWO)
    net.hybridize()
    noise = GradientNoiseScale()
    learner = Learner(
        net,
        Batches(*trained, task.batch_size, order_seed(SEEDS[0], TRIED)),
        ctx=TWO,
        loss=task.loss,
        optimizer=task.optimizer,
        optimizer_params=task.optimizer_params,
        cbs=noise,
    )
    for n in range(1, LENGTH + 1):
        learner.iteration(schedule(n))
    return math.inf if noise.value is None else noise.value


def all_outcomes() -> List[Outcome]:
    """Return those of all tasks that can be judged."""
    found = [outcome_of(task) for task in tqdm(chosen(), leave=False)]
    return [one for one in found if one is not None]


# -- the tables ----------------------------------------------------------------------------------


def errors(outcomes: List[Outcome], rule: Rule) -> List[float]:
    """Return how many decades a rule's growth is off, for each task and pair of sizes."""
    return [abs(rule(one, sizes) - growth(one.best, sizes)) for one in outcomes for sizes in PAIRS]


def rank_correlation(outcomes: List[Outcome], rule: Rule) -> float:
    """Return Spearman's, over the tasks, of the growth from the smallest to the largest size."""
    sizes = (SIZES[0], SIZES[-1])
    said = [rule(one, sizes) for one in outcomes]
    if len(set(said)) < 2:
        return math.nan
    return float(spearmanr(said, [growth(one.best, sizes) for one in outcomes])[0])


def between_seeds(outcomes: List[Outcome]) -> List[float]:
    """Return how many decades the growth in one seed is from that in the other."""
    return [
        abs(growth(one.by_seed[0], sizes) - growth(one.by_seed[1], sizes))
        for one in outcomes
        for sizes in PAIRS
    ]


def lines(outcomes: List[Outcome]) -> Iterator[str]:
    """Yield the lines of the tables: of each rule, and of each task."""
    families = {
        "SGD": [one for one in outcomes if not one.adam],
        "Adam": [one for one in outcomes if one.adam],
        "both": outcomes,
    }
    yield "| optimizer | growth by | median error | worst | rank correlation | tasks |"
    yield "|---|---|---:|---:|---:|---:|"
    for family, own in families.items():
        for name, rule in RULES.items():
            off, rank = errors(own, rule), rank_correlation(own, rule)
            cell = "" if math.isnan(rank) else f"{rank:.2f}"
            yield (
                f"| {family} | {name} | {statistics.median(off):.2f} | {max(off):.2f} | {cell} | "
                f"{len(own)} |"
            )
        off = between_seeds(own)
        yield (
            f"| {family} | the other seed | {statistics.median(off):.2f} | {max(off):.2f} |  | "
            f"{len(own)} |"
        )
    rates = " | ".join(f"best at {size}" for size in SIZES)
    yield f"\n| task | {rates} | noise scale at the start | over the training |"
    yield "|---|" + "---:|" * (len(SIZES) + 2)
    for one in outcomes:
        rates = " | ".join(f"{one.best[size]:.3g}" for size in SIZES)
        yield f"| {one.task.rpartition(',')[0]} | {rates} | {one.at_start:.3g} | {one.along:.3g} |"


def rows() -> Iterator[Row]:
    """Yield each rule's median error, in decades."""
    outcomes = all_outcomes()
    for name, rule in RULES.items():
        error = statistics.median(errors(outcomes, rule))
        yield Row(f"{name}: decades off", f"{len(outcomes)} tasks", error)


def main() -> int:
    """Print the tables."""
    print("\n".join(lines(all_outcomes())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
