"""Updates to a validation accuracy, by three ways to choose the rate, on Fashion-MNIST.

`python -m benchmarks.super_convergence [FOLDER]`, the folder being one with the four IDX files:
Debian's package dataset-fashion-mnist puts them where they are looked for by default. The same
BatchNorm CNN is trained on the same batches

- by the 1-cycle policy, at the rate that one search suggests (`lr_find` and `fit_one_cycle`),
- at a constant rate, each of a grid, and
- by a step schedule, a tenth after half and again after three quarters, from each of the grid.

1-cycle and steps have a length: each is run at all lengths of a list, and the shortest counts
that ends at the accuracy wanted. A constant rate is looked at as it goes on. The cost of the
search, and of all of the grid, stands beside.
"""

import argparse
import gzip
import math
import statistics
import sys
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from gluon_lr import ContinuousBatchSampler, Learner, MultiFactorScheduler
from gluon_lr._mxnet import mx
from gluon_lr.plotting import plot_curves

FOLDER = Path("/usr/share/datasets/fashion-mnist")
FILES = [
    f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
]
TARGET = 0.88
BATCH_SIZE = 128
LENGTHS = [150, 220, 330, 500, 750, 1100]
LOOK_EVERY = 25
RATES = [0.003, 0.01, 0.03, 0.1, 0.3]
HELD_OUT = 5000
nn = mx.gluon.nn


class Images(NamedTuple):
    """The images to train on, and those to validate on."""

    train: mx.gluon.data.Dataset
    held_out: List[Tuple[mx.nd.NDArray, mx.nd.NDArray]]


class Run(NamedTuple):
    """One way to train: updates to the accuracy, None where it was not reached, and all spent."""

    reached: Optional[int]
    spent: int
    curve: List[Tuple[int, float]]  # accuracy after so many updates


def read_idx(folder: Path, name: str) -> np.ndarray:
    """Read an IDX file, compressed or not."""
    path = folder / name
    zipped = path.with_name(name + ".gz")
    data = gzip.decompress(zipped.read_bytes()) if zipped.exists() else path.read_bytes()
    dimensions = data[3]
    shape = np.frombuffer(data, ">i4", dimensions, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def load(folder: Path) -> Images:
    """Read Fashion-MNIST; the first test images are the ones to validate on."""
    missing = [
        name for name in FILES if not any((folder / n).exists() for n in (name, name + ".gz"))
    ]
    if missing:
        raise SystemExit(
            f"super_convergence: {folder} must be a folder with the files of Fashion-MNIST, and "
            f"has no {', '.join(missing)}. Install Debian's package dataset-fashion-mnist, or "
            "give a folder that has them, compressed by gzip or not."
        )
    train, train_labels, test, test_labels = (read_idx(folder, name) for name in FILES)
    mean, deviation = train.mean(), train.std()

    def scaled(images: np.ndarray) -> np.ndarray:
        return ((images[:, np.newaxis] - mean) / deviation).astype(np.float32)

    held_out = [
        (mx.nd.array(scaled(test[i : i + 500])), mx.nd.array(test_labels[i : i + 500]))
        for i in range(0, HELD_OUT, 500)
    ]
    dataset = mx.gluon.data.ArrayDataset(scaled(train), train_labels.astype(np.float32))
    return Images(dataset, held_out)


def make_learner(images: Images, seed: int, length: int) -> Learner:
    """Make the same learner for a seed each time, with `length` updates for an epoch."""
    mx.random.seed(seed)
    np.random.seed(seed)
    net = nn.HybridSequential()
    for channels in (16, 32):
        net.add(nn.Conv2D(channels, 3, padding=1, use_bias=False), nn.BatchNorm())
        net.add(nn.Activation("relu"), nn.MaxPool2D())
    net.add(nn.Dense(10))
    net.hybridize()
    sampler = ContinuousBatchSampler(mx.gluon.data.RandomSampler(len(images.train)), BATCH_SIZE)
    learner = Learner(
        net,
        mx.gluon.data.DataLoader(images.train, batch_sampler=sampler),
        optimizer="sgd",
        optimizer_params={"momentum": 0.9, "wd": 5e-4},
        metrics="acc",
        valid_loader=images.held_out,
        iterations_per_epoch=length,
    )
    learner.progress = False
    return learner


def accuracy(learner: Learner) -> float:
    """Return the accuracy on the held-out images after the last fit."""
    return learner.recorder.epochs[-1]["accuracy"]


def shortest(lengths: List[int], train: Callable[[int], float], spent: int = 0) -> Run:
    """Train at rising lengths, anew each time, until one ends at the accuracy wanted."""
    curve = []
    for length in lengths:
        curve.append((length, train(length)))
        if curve[-1][1] >= TARGET:
            return Run(length, spent + length, curve)
    return Run(None, spent + lengths[-1], curve)


def one_cycle(images: Images, seed: int) -> Tuple[float, Run]:
    """Search once, then train by cycles at the rate that is suggested; return it too."""
    with make_learner(images, seed, 1) as learner:
        found = learner.lr_find(show_plot=False)

    def train(length: int) -> float:
        with make_learner(images, seed, length) as learner:
            learner.fit_one_cycle(1, found.suggestion)
            return accuracy(learner)

    return found.suggestion, shortest(LENGTHS, train, spent=len(found.result))


def steps(images: Images, seed: int, rate: float) -> Run:
    """Train by step schedules from one rate."""

    def train(length: int) -> float:
        drops = [length // 2, 3 * length // 4]
        with make_learner(images, seed, length) as learner:
            schedule = MultiFactorScheduler(drops, 0.1, base_lr=rate)
            learner.trainer.optimizer.lr_scheduler = schedule
            learner.fit(1)
            return accuracy(learner)

    return shortest(LENGTHS, train)


def constant(images: Images, seed: int, rate: float) -> Run:
    """Train at one rate, without a start anew, until the accuracy is there."""
    with make_learner(images, seed, LOOK_EVERY) as learner:

        def train_on(length: int) -> float:
            learner.fit(1, rate)
            return accuracy(learner)

        return shortest(list(range(LOOK_EVERY, LENGTHS[-1] + 1, LOOK_EVERY)), train_on)


def median_reached(runs: List[Run]) -> float:
    """Return the median of the updates that it took, infinite where most did not get there."""
    return statistics.median(math.inf if run.reached is None else run.reached for run in runs)


def measure(images: Images, seeds: List[int]) -> Dict[str, Dict[str, List[Run]]]:
    """Run everything: by the way to train, then by the rate, a run a seed."""
    cycles = [one_cycle(images, seed) for seed in seeds]
    suggested = ", ".join(f"{rate:.2g}" for rate, _ in cycles)
    results = {"1-cycle": {f"suggested: {suggested}": [run for _, run in cycles]}}
    for name, train in (("constant", constant), ("steps", steps)):
        results[name] = {}
        for rate in RATES:
            results[name][f"{rate:g}"] = [train(images, seed, rate) for seed in seeds]
            sys.stderr.write(f"{name} {rate:g}: {median_reached(results[name][f'{rate:g}'])}\n")
    return results


def table(results: Dict[str, Dict[str, List[Run]]], seeds: List[int]) -> str:
    """Compare the ways: the best rate's updates, all seeds', and what finding it out took."""
    lines = [
        f"| way | rate | updates to {TARGET:.0%}, median of {len(seeds)} seeds | each "
        "| with the search, or the whole grid |",
        "|---|---|---:|---|---:|",
    ]
    for name, by_rate in results.items():
        rate = min(by_rate, key=lambda rate, of=by_rate: median_reached(of[rate]))
        best = by_rate[rate]
        spent = sum(statistics.median(run.spent for run in runs) for runs in by_rate.values())
        each = ", ".join("never" if run.reached is None else str(run.reached) for run in best)
        lines.append(f"| {name} | {rate} | {median_reached(best):g} | {each} | {spent:g} |")
    return "\n".join(lines)


def draw(results: Dict[str, Dict[str, List[Run]]], path: Path) -> None:
    """Draw the accuracy over the updates: for each way the mean over seeds at its best rate."""
    curves = {}
    for name, by_rate in results.items():
        rate = min(by_rate, key=lambda rate, of=by_rate: median_reached(of[rate]))
        shortest_run = min(len(run.curve) for run in by_rate[rate])
        points = [run.curve[:shortest_run] for run in by_rate[rate]]
        counts = [count for count, _ in points[0]]
        means = np.mean([[value for _, value in curve] for curve in points], axis=0)
        curves[f"{name}, rate {rate}"] = (counts, means)
    ax = plot_curves(curves, "updates, for 1-cycle and steps: length of the training", "accuracy")
    ax.axhline(TARGET, color="black", linewidth=0.8)
    ax.figure.savefig(path, dpi=120)


def main() -> int:
    """Print the table and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--out", type=Path, default=Path("super_convergence.png"))
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: %(default)s)")
    options = parser.parse_args()
    seeds = list(range(options.seeds))
    results = measure(load(options.folder), seeds)
    print(table(results, seeds))
    draw(results, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
