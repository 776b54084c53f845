"""The demo: find a learning rate for handwritten digits, and train with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Callable, List, NamedTuple

import numpy as np

from . import plotting
from ._mxnet import mx
from .finder import LRFinder, LRFinderResult
from .hyper import AnnealedSchedule, one_cycle
from .learner import Learner, Recorder

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEED = 0
BATCH_SIZE = 16
EPOCHS = 5


class Digits(NamedTuple):
    """The 1,797 images of scikit-learn's `load_digits`, with four fifths for training."""

    train: mx.gluon.data.Dataset
    valid: mx.gluon.data.Dataset


class Run(NamedTuple):
    """A training: its name, its highest rate, and its record."""

    name: str
    lr: float
    recorder: Recorder

    @property
    def row(self) -> str:
        """The row of this training in the table."""
        last = self.recorder.epochs[-1]
        seconds = sum(epoch["time"] for epoch in self.recorder.epochs)
        return (
            f"{self.name:<20}{self.lr:>8.3g}{last['valid_loss']:>12.4f}"
            f"{last['accuracy']:>11.1%}{seconds:>8.1f}s"
        )


def load_digits() -> Digits:
    """Load the digits and split them, the same way each time."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = (bunch.images[:, np.newaxis] / 16).astype(np.float32)
    labels = bunch.target.astype(np.float32)
    train_images, images, train_labels, labels = train_test_split(
        images, labels, test_size=0.2, random_state=SEED, stratify=labels
    )
    return Digits(
        mx.gluon.data.ArrayDataset(train_images, train_labels),
        mx.gluon.data.ArrayDataset(images, labels),
    )


def make_net() -> mx.gluon.nn.HybridSequential:
    """Seed all generators, and build a small convolutional net for the digits."""
    mx.random.seed(SEED)
    np.random.seed(SEED)
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(32, kernel_size=3, padding=1, activation="relu"),
        nn.Conv2D(64, kernel_size=3, padding=1, activation="relu"),
        nn.MaxPool2D(),
        nn.Dense(10),
    )
    net.hybridize()
    return net


def make_learner(digits: Digits) -> Learner:
    """Build the same net, with the same weights, and the same batches each time."""
    return Learner(
        make_net(),
        mx.gluon.data.DataLoader(digits.train, BATCH_SIZE, shuffle=True),
        optimizer="sgd",
        valid_loader=mx.gluon.data.DataLoader(digits.valid, 10 * BATCH_SIZE),
        metrics="acc",
    )


def run(out: Path) -> str:
    """Find a rate, train with it and with MXNet's default, draw the results; return the report.

    Parameters
    ----------
    out : pathlib.Path
        An existing directory for the three pictures.

    Raises
    ------
    RuntimeError
        If the search suggests no rate.
    """
    digits = load_digits()
    result = LRFinder(make_learner(digits)).find()
    if result.suggestion is None:
        raise RuntimeError(f"The search on digits suggests no rate: {result!r}")
    fitted = make_learner(digits)
    fitted.say(f"1-cycle at {result.suggestion:.2g}:")
    fitted.fit_one_cycle(EPOCHS, result.suggestion)
    default = make_learner(digits)
    default.say(f"\nMXNet's default rate, {default.trainer.learning_rate:.2g}:")
    default.fit(EPOCHS)
    runs = [
        Run("1-cycle", result.suggestion, fitted.recorder),
        Run("MXNet's default", default.trainer.learning_rate, default.recorder),
    ]
    return "\n".join(
        [
            f"\nThe search took {len(result)} iterations and ended: {result.reason}.",
            "",
            f"{EPOCHS} epochs on digits      rate   val. loss   accuracy     time",
            *(one.row for one in runs),
            "",
            "Pictures:",
            *(f"  {path}" for path in draw(out, result, runs)),
        ]
    )


def draw(out: Path, result: LRFinderResult, runs: List[Run]) -> List[Path]:
    """Draw the search, the rates of the first run and the losses of all runs; return the files."""
    length = len(runs[0].recorder)
    schedule = AnnealedSchedule(one_cycle(runs[0].lr)["lr"], length)
    epochs = range(1, EPOCHS + 1)
    losses = {
        f"{one.name}, lr {one.lr:.2g}": (epochs, [e["valid_loss"] for e in one.recorder.epochs])
        for one in runs
    }
    told = ", ".join(f"{one.recorder.epochs[-1]['accuracy']:.1%} by {one.name}" for one in runs)
    return [
        _save(out / "finder.png", result.plot),
        _save(out / "schedule.png", lambda ax: schedule.plot(length, ax)),
        _save(
            out / "training.png",
            lambda ax: plotting.plot_curves(losses, "epoch", "validation loss", ax).set_title(
                f"Accuracy after {EPOCHS} epochs: {told}", fontsize="medium"
            ),
        ),
    ]


def _save(path: Path, plot: "Callable[[Axes], object]") -> Path:
    figure = plotting.picture()
    plot(figure.subplots())
    figure.savefig(path)
    return path
