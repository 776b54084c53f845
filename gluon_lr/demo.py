"""The demo: find a rate for handwritten digits, and train by it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Callable, List, NamedTuple, Optional, Tuple

import numpy as np
from tqdm.auto import tqdm

from . import plotting
from ._mxnet import mx, nd, scalar
from .finder import LRFinder, LRFinderResult
from .schedules import OneCycleSchedule, Schedule
from .training import ContinuousBatchSampler, Learner

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEED = 0
BATCH_SIZE = 16
EPOCHS = 5


class Digits(NamedTuple):
    """The 1,797 images of scikit-learn's `load_digits`, four fifths of them to train on."""

    train: mx.gluon.data.Dataset
    images: mx.nd.NDArray
    labels: mx.nd.NDArray

    @property
    def iterations_per_epoch(self) -> int:
        """Batches in one pass over the training images."""
        return len(self.train) // BATCH_SIZE


class Run(NamedTuple):
    """One training run: its name, highest rate, loss and accuracy after each epoch, and time."""

    name: str
    max_lr: float
    losses: List[float]
    accuracies: List[float]
    seconds: float


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
        nd.array(images),
        nd.array(labels),
    )


def make_learner(digits: Digits) -> Learner:
    """Build the same net, with the same weights, and the same batches each time."""
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
    sampler = ContinuousBatchSampler(mx.gluon.data.RandomSampler(len(digits.train)), BATCH_SIZE)
    loader = mx.gluon.data.DataLoader(digits.train, batch_sampler=sampler)
    return Learner(net, loader, optimizer="sgd")


def evaluate(net: mx.gluon.Block, digits: Digits) -> Tuple[float, float]:
    """Return the mean loss and the accuracy on the validation images."""
    output = net(digits.images)
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()(output, digits.labels)
    return scalar(loss.mean()), scalar((output.argmax(axis=1) == digits.labels).mean())


def find(digits: Digits) -> LRFinderResult:
    """Search for a rate, from a fresh net."""
    with make_learner(digits) as learner:
        return LRFinder(learner).find()


def one_cycle(max_lr: float, iterations: int) -> OneCycleSchedule:
    """Go up to `max_lr` and back in nine tenths of the iterations, and cool down in the rest."""
    cycle_length = round(0.9 * iterations)
    return OneCycleSchedule(
        start_lr=max_lr / 10,
        max_lr=max_lr,
        cycle_length=cycle_length,
        cooldown_length=iterations - cycle_length,
        finish_lr=max_lr / 1000,
    )


def train(digits: Digits, schedule: Optional[Schedule], name: str) -> Run:
    """Train for `EPOCHS` epochs, at the rates of `schedule` or at the optimizer's own."""
    losses, accuracies = [], []
    start = time.perf_counter()
    with make_learner(digits) as learner:
        max_lr = learner.trainer.learning_rate if schedule is None else schedule.base_lr
        iterations = range(1, EPOCHS * digits.iterations_per_epoch + 1)
        for n in tqdm(iterations, desc=f"Training, {name}"):
            learner.iteration(lr=None if schedule is None else schedule(n))
            if n % digits.iterations_per_epoch == 0:
                loss, accuracy = evaluate(learner.net, digits)
                losses.append(loss)
                accuracies.append(accuracy)
    return Run(name, max_lr, losses, accuracies, time.perf_counter() - start)


def run(out: Path) -> str:
    """Find a rate, train by it and at MXNet's default, draw it all; return what to tell.

    Parameters
    ----------
    out : pathlib.Path
        An existing directory for the three pictures.

    Raises
    ------
    RuntimeError
        Where the search suggests no rate.
    """
    digits = load_digits()
    iterations = EPOCHS * digits.iterations_per_epoch
    result = find(digits)
    if result.suggestion is None:
        raise RuntimeError(f"The search on digits suggests no rate: {result!r}")
    schedule = one_cycle(result.suggestion, iterations)
    runs = [train(digits, schedule, "1-cycle"), train(digits, None, "MXNet's default")]

    finder_picture, schedule_picture, training_picture = (
        out / name for name in ("finder.png", "schedule.png", "training.png")
    )
    _save(finder_picture, result.plot)
    _save(schedule_picture, lambda ax: schedule.plot(iterations, ax))
    epochs = range(1, EPOCHS + 1)
    curves = {f"{one.name}, lr {one.max_lr:.2g}": (epochs, one.losses) for one in runs}
    _save(
        training_picture,
        lambda ax: plotting.plot_curves(curves, "epoch", "validation loss", ax),
    )
    return "\n".join(
        [
            f"The search took {len(result)} iterations and ended: {result.reason}.",
            "",
            f"{EPOCHS} epochs on digits      rate   val. loss   accuracy     time",
            *(
                f"{one.name:<20}{one.max_lr:>8.3g}{one.losses[-1]:>12.4f}"
                f"{one.accuracies[-1]:>11.1%}{one.seconds:>8.1f}s"
                for one in runs
            ),
            "",
            "Pictures:",
            *(f"  {path}" for path in (finder_picture, schedule_picture, training_picture)),
        ]
    )


def _save(path: Path, plot: "Callable[[Axes], object]") -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    plot(figure.subplots())
    figure.savefig(path, dpi=120)
