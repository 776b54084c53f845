"""What batches of other structures and compute_loss cost: `python -m benchmarks.step_overhead`.

The bare loop trains the same net on the same arrays, as pairs.
"""

import sys
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

from gluon_lr import Learner, LRFinder, one_cycle
from gluon_lr._mxnet import mx

from .finder_overhead import GOALS, NETS, make_learner
from .loop import bare_loop
from .measure import Row, compared, in_updates, main, ratios, seconds

UPDATES = 120
LARGEST = 20.0  # microseconds that a nested batch costs more than a pair
STRUCTURES: Dict[str, Tuple[Callable[[Any, Any], Any], Callable[[Any], Tuple[Any, Any]]]] = {
    "a pair": (lambda x, y: (x, y), lambda batch: batch),
    "a dict": (lambda x, y: {"x": x, "y": y}, lambda batch: (batch["x"], batch["y"])),
    "nested": (
        lambda x, y: (((x, y), {"x": x}), (y, [x, y], None)),
        lambda batch: (batch[0][0][0], batch[1][0]),
    ),
}


def make_learners(name: str) -> Tuple[Learner, Dict[str, Learner]]:
    """Make a learner of pairs, and one for each structure on its net, by compute_loss."""
    pairs = make_learner(name)
    learners = {}
    for structure, (pack, unpack) in STRUCTURES.items():

        def compute_loss(net: Any, batch: Any, unpack: Any = unpack) -> Any:
            x, y = unpack(batch)
            return pairs.loss(net(x), y)

        learners[structure] = Learner(
            pairs.net,
            [pack(*batch) for batch in pairs.data_loader],
            trainer=pairs.trainer,
            compute_loss=compute_loss,
            iterations_per_epoch=UPDATES,
        )
        learners[structure].progress = False
    return pairs, learners


def measure(name: str) -> Iterator[Row]:
    """Time fits and searches of one net beside the bare loop, and structures beside a pair."""
    pairs, learners = make_learners(name)
    positions = np.arange(UPDATES) / UPDATES
    moves = list(zip(*(curve(positions).tolist() for curve in one_cycle(1e-3).values())))
    batches = list(pairs.data_loader)

    def bare() -> None:
        bare_loop(pairs.net, pairs.loss, pairs.trainer, batches, UPDATES, moves)

    beside = in_updates("bare loop", bare, UPDATES)
    for structure, learner in learners.items():
        fit, find = actions(learner)
        what = f"{name}: {{}} on {structure} by compute_loss, per update"
        yield compared(what.format("fit"), beside, ratios(fit, bare), GOALS[name])
        yield compared(what.format("find"), beside, ratios(find, bare), GOALS[name])


def actions(learner: Learner) -> List[Callable[[], None]]:
    """Return a fit and a search of as many updates."""

    def fit() -> None:
        learner.fit_one_cycle(1, 1e-3)
        mx.nd.waitall()

    def find() -> None:
        search = {"lr_start": 1e-7, "lr_end": 1e-3, "num_iter": UPDATES}
        LRFinder(learner).find(**search, progress=False)
        mx.nd.waitall()

    return [fit, find]


def measure_nested() -> Iterator[Row]:
    """Time the reading of a nested batch beside that of a pair, as a part of 20 microseconds."""
    _, learners = make_learners("MLP")
    context = [mx.cpu()]

    def reading(structure: str) -> Callable[[], None]:
        learner = learners[structure]
        batch = next(iter(learner.data_loader))

        def read() -> None:
            for _ in range(1000):
                learner._batch_split.over_contexts(batch, context)

        return read

    pair, nested = reading("a pair"), reading("nested")
    extra = [1e3 * (seconds(nested) - seconds(pair)) / LARGEST for _ in range(15)]
    yield compared("a nested batch more than a pair, on one context", "20 us", extra, 1.0)


def rows() -> Iterator[Row]:
    """Yield all rows."""
    for name in NETS:
        yield from measure(name)
    yield from measure_nested()


if __name__ == "__main__":
    sys.exit(main("step_overhead", rows()))
