"""What a fit costs beside bare training: `python -m benchmarks.fit_overhead`.

The bare loop trains the same net on the same batches at the same rates and momentum, and never
reads its loss. Frozen layers, checkpoints and callbacks stand beside.
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator, List, Type

import numpy as np

from gluon_lr import Callback, Learner, TensorBoardCallback, one_cycle
from gluon_lr._mxnet import mx

from .finder_overhead import GOALS, NETS, make_learner
from .loop import bare_loop
from .measure import Row, compared, in_updates, main, ratios

EPOCHS = 2
UPDATES = 60  # an epoch
MANY = 100  # rounds, where a difference of 0.01 is to be seen


class WithoutCallbacks(Learner):
    """A learner whose fits have no callbacks but those that they are given."""

    def _usual_callbacks(self, given: List[Any]) -> List[Any]:
        return []


def make_fitter(name: str, kind: Type[Learner] = Learner) -> Learner:
    """Make a learner over the batches of `finder_overhead`, with epochs of `UPDATES`."""
    made = make_learner(name)
    learner = kind(made.net, made.data_loader, trainer=made.trainer, iterations_per_epoch=UPDATES)
    learner.progress = False
    return learner


def measure(name: str) -> Iterator[Row]:
    """Time fits of one net beside the bare loop."""
    learner = make_fitter(name)
    positions = np.arange(EPOCHS * UPDATES) / (EPOCHS * UPDATES)
    moves = list(zip(*(curve(positions).tolist() for curve in one_cycle(1e-3).values())))
    batches = list(learner.data_loader)

    def bare() -> None:
        bare_loop(learner.net, learner.loss, learner.trainer, batches, len(moves), moves)

    def fit() -> None:
        learner.fit_one_cycle(EPOCHS, 1e-3)
        mx.nd.waitall()

    beside = in_updates("bare loop", bare, EPOCHS * UPDATES)
    yield compared(f"{name}: fit, per update", beside, ratios(fit, bare), GOALS[name])
    learner.progress = True
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        shown = ratios(fit, bare)
    yield compared(f"{name}: fit with a progress bar, per update", beside, shown)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run"
        saves = [EPOCHS * UPDATES * ratio for ratio in ratios(lambda: learner.save(path), bare)]
        loads = [EPOCHS * UPDATES * ratio for ratio in ratios(lambda: learner.load(path), bare)]
    yield compared(f"{name}: to write a checkpoint", "bare update", saves)
    yield compared(f"{name}: to read a checkpoint", "bare update", loads)


def measure_callbacks(name: str) -> Iterator[Row]:
    """Time fits with callbacks beside fits without."""
    without, learner = make_fitter(name, WithoutCallbacks), make_fitter(name)
    learner.progress = True

    def fit(one: Learner, *cbs: Callback) -> None:
        one.fit_one_cycle(EPOCHS, 1e-3, cbs=cbs)
        mx.nd.waitall()

    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        usual = ratios(lambda: fit(learner), lambda: fit(without), MANY)
    yield compared(f"{name}: fit with the default callbacks", "fit without", usual, 1.02)
    with tempfile.TemporaryDirectory() as directory:
        board = TensorBoardCallback(directory)
        told = ratios(lambda: fit(without, board), lambda: fit(without), MANY)
    yield compared(f"{name}: fit with TensorBoardCallback", "fit without", told, 1.1)


def measure_frozen() -> Iterator[Row]:
    """Time a CNN of which all but the head is frozen, beside the whole of it."""
    whole, frozen = make_fitter("CNN"), make_fitter("CNN")
    body = list(frozen.net)[:-1]
    frozen = Learner(
        frozen.net,
        frozen.data_loader,
        trainer=frozen.trainer,
        groups=[body, frozen.net[-1]],
        iterations_per_epoch=UPDATES,
    )
    frozen.progress = False
    frozen.freeze()
    batches = list(whole.data_loader)

    def fit_whole() -> None:
        whole.fit(EPOCHS, 1e-3)
        mx.nd.waitall()

    def fit_frozen() -> None:
        frozen.fit(EPOCHS, 1e-3)
        mx.nd.waitall()

    def features_of(data: mx.nd.NDArray) -> mx.nd.NDArray:
        with mx.autograd.train_mode():
            for block in body:
                data = block(data)
        return data

    def head_by_hand() -> None:
        bare_loop(
            frozen.net[-1],
            frozen.loss,
            frozen.trainer,
            batches,
            EPOCHS * UPDATES,
            frozen=features_of,
        )

    for what, action in (
        ("CNN: fit with all but the head frozen", fit_frozen),
        ("CNN: the head alone trained on outputs of the rest, by hand", head_by_hand),
    ):
        yield compared(what, "fit of the whole", ratios(action, fit_whole))


def rows() -> Iterator[Row]:
    """Yield all rows."""
    for name in NETS:
        yield from measure(name)
        yield from measure_callbacks(name)
    yield from measure_frozen()


if __name__ == "__main__":
    sys.exit(main("fit_overhead", rows()))
