"""Updates to a validation accuracy, by three ways to choose the rate, on Fashion-MNIST.

`python -m benchmarks.super_convergence [FOLDER]`, the folder being one with the four IDX files:
Debian's package dataset-fashion-mnist puts them where they are looked for by default. The same
BatchNorm CNN is trained on the same batches

- by the 1-cycle policy, at the rate that one search suggests (`lr_find` and `fit_one_cycle`),
- at a constant rate, each of a grid, and
- by a step schedule, to a tenth after half and again after three quarters, from each of the grid.

1-cycle and steps have a length: each is run at all of a list, and the shortest counts that ends
at the accuracy wanted. A constant rate is looked at as it goes on. What the search took, or all
of the grid, stands beside.
"""

import argparse
import gzip
import json
import math
import statistics
import sys
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Tuple

import numpy as np

from gluon_lr import ContinuousBatchSampler, Learner, MultiFactorScheduler
from gluon_lr._mxnet import mx
from gluon_lr.plotting import picture, plot_curves

from .measure import Row, Unavailable

FOLDER = Path("/usr/share/datasets/fashion-mnist")
FILES = [
    f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
]
TARGETS = [0.86, 0.88, 0.9]
BATCH_SIZE = 128
LENGTHS = [150, 220, 330, 500, 750, 1100, 1650]
LOOK_EVERY = 50
RATES = [0.003, 0.01, 0.03, 0.1]
HELD_OUT = 5000
nn = mx.gluon.nn


class Images(NamedTuple):
    """The images to train on, and those to validate on."""

    train: mx.gluon.data.Dataset
    held_out: List[Tuple[mx.nd.NDArray, mx.nd.NDArray]]


class Run(NamedTuple):
    """One way to train at one rate: the accuracy after so many updates, and the search's."""

    curve: List[Tuple[int, float]]
    search: int = 0

    def reached(self, target: float) -> float:
        """Return the fewest updates that end at the accuracy, infinite where none do."""
        return min((count for count, value in self.curve if value >= target), default=math.inf)

    def spent(self, target: float) -> float:
        """Return the updates that it took to know that, the search's too."""
        return self.search + min(self.reached(target), self.curve[-1][0])


Results = Dict[str, Dict[str, List[Run]]]  # by the way to train and the rate, a run a seed


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
        raise Unavailable(
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


def one_cycle(images: Images, seed: int) -> Tuple[float, Run]:
    """Search once, then train by cycles of all lengths at the rate suggested; return it too."""
    with make_learner(images, seed, 1) as learner:
        found = learner.lr_find(show_plot=False)
    curve = []
    for length in LENGTHS:
        with make_learner(images, seed, length) as learner:
            learner.fit_one_cycle(1, found.suggestion)
            curve.append((length, accuracy(learner)))
    return found.suggestion, Run(curve, search=len(found.result))


def steps(images: Images, seed: int, rate: float) -> Run:
    """Train by step schedules of all lengths from one rate."""
    curve = []
    for length in LENGTHS:
        drops = [length // 2, 3 * length // 4]
        with make_learner(images, seed, length) as learner:
            schedule = MultiFactorScheduler(drops, 0.1, base_lr=rate)
            learner.trainer.optimizer.lr_scheduler = schedule
            learner.fit(1)
            curve.append((length, accuracy(learner)))
    return Run(curve)


def constant(images: Images, seed: int, rate: float) -> Run:
    """Train at one rate, and look at it now and then."""
    curve = []
    with make_learner(images, seed, LOOK_EVERY) as learner:
        for length in range(LOOK_EVERY, LENGTHS[-1] + 1, LOOK_EVERY):
            learner.fit(1, rate)
            curve.append((length, accuracy(learner)))
    return Run(curve)


def measure(images: Images, seeds: List[int]) -> Results:
    """Run everything."""
    cycles = [one_cycle(images, seed) for seed in seeds]
    suggested = ", ".join(f"{rate:.2g}" for rate, _ in cycles)
    results = {"1-cycle": {f"suggested: {suggested}": [run for _, run in cycles]}}
    for name, train in (("constant", constant), ("steps", steps)):
        results[name] = {}
        for rate in RATES:
            sys.stderr.write(f"{name}, {rate:g}\n")
            results[name][f"{rate:g}"] = [train(images, seed, rate) for seed in seeds]
    return results


def best_rate(by_rate: Dict[str, List[Run]], target: float) -> str:
    """Return the rate that gets there in the fewest updates, in the median over seeds."""
    return min(by_rate, key=lambda rate: reached(by_rate[rate], target))


def reached(runs: List[Run], target: float) -> float:
    """Return the median of the updates to an accuracy."""
    return statistics.median(run.reached(target) for run in runs)


def spent(by_rate: Dict[str, List[Run]], target: float) -> float:
    """Return the updates of the search, or of the whole grid, that it took to know the best."""
    return sum(statistics.median(run.spent(target) for run in runs) for runs in by_rate.values())


def table(results: Results) -> str:
    """Compare the ways: the best rate's updates, each seed's, and what finding it out took."""
    lines = [
        "| accuracy | way | rate | updates, median | each seed | with the search, or the grid |",
        "|---:|---|---|---:|---|---:|",
    ]
    for target in TARGETS:
        for name, by_rate in results.items():
            rate = best_rate(by_rate, target)
            each = ", ".join(f"{run.reached(target):g}" for run in by_rate[rate])
            cells = [
                f"{target:.0%}",
                name,
                rate,
                f"{reached(by_rate[rate], target):g}",
                each,
                f"{spent(by_rate, target):g}",
            ]
            lines.append("| " + " | ".join(cells).replace("inf", "never") + " |")
    return "\n".join(lines)


def draw(results: Results, path: Path) -> None:
    """Draw the mean accuracy over seeds, of each way at its best rates, over the updates."""
    curves = {}
    for name, by_rate in results.items():
        for rate in dict.fromkeys(best_rate(by_rate, target) for target in TARGETS):
            runs = by_rate[rate]
            counts = [count for count, _ in runs[0].curve]
            means = np.mean([[value for _, value in run.curve] for run in runs], axis=0)
            curves[f"{name}, {rate}"] = (counts, means)
    figure = picture()
    label = "updates; 1-cycle and steps: the whole training's"
    ax = plot_curves(curves, label, "accuracy", figure.subplots())
    ax.set_ylim(0.8, None)
    figure.savefig(path)


def rows() -> Iterator[Row]:
    """Yield what 1-cycle takes beside the others, at their best rates where all get there."""
    yield from compared(measure(load(FOLDER), [0, 1, 2]))


def compared(results: Results) -> Iterator[Row]:
    """Yield 1-cycle's updates beside those of each other way."""
    cycle = results["1-cycle"]
    for target in TARGETS:
        for name in ("constant", "steps"):
            other, what = results[name], f"1-cycle: updates to {target:.0%}"
            each = [reached(by[best_rate(by, target)], target) for by in (cycle, other)]
            if math.isfinite(sum(each)):
                yield Row(what, f"{name}, best rate of a grid", each[0] / each[1])
            ratio = spent(cycle, target) / spent(other, target)
            yield Row(f"{what}, with the search", f"{name}, with the grid", ratio)


def main() -> int:
    """Print the table and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--out", type=Path, default=Path("super_convergence.png"))
    parser.add_argument("--json", type=Path, help="a file for all the curves")
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: %(default)s)")
    options = parser.parse_args()
    seeds = list(range(options.seeds))
    results = measure(load(options.folder), seeds)
    if options.json is not None:
        options.json.write_text(json.dumps(results), encoding="utf-8")
    print(table(results))
    draw(results, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
