"""How often equals are told apart by `compare`: `python -m benchmarks.alike`.

The values that are compared are one and the same: nets by one factory, which begin with other
weights each time, or weight decays of 0. A small net learns digits, in trainings of one pass.
"""

import sys
from typing import Any, Dict, Iterator, Tuple

import numpy as np
from sklearn import datasets
from tqdm import tqdm

from gluon_lr import Learner, LRFinder
from gluon_lr._mxnet import mx

from .measure import Row
from .tasks import mlp, momentum

SEEDS = range(100)
TRAINED_ON, BATCH_SIZE = 900, 32  # samples
UPDATES = 30
make_net = mlp([16], 10)


def make(seed: int) -> Learner:
    """Make a learner of digits, the others of which judge."""
    mx.random.seed(seed)
    np.random.seed(seed)
    images, labels = datasets.load_digits(return_X_y=True)
    order = np.random.permutation(len(labels))
    images, labels = (one[order].astype("float32") for one in (images / 16, labels))
    data = mx.gluon.data.ArrayDataset(images[:TRAINED_ON], labels[:TRAINED_ON])
    loader = mx.gluon.data.DataLoader(data, BATCH_SIZE, shuffle=True)
    others = [(mx.nd.array(images[TRAINED_ON:]), mx.nd.array(labels[TRAINED_ON:]))]
    return Learner(make_net(), loader, optimizer_params=momentum, valid_loader=others)


TWO_NETS = {"net": {"first": make_net, "second": make_net}}
THREE_NETS = {"net": {**TWO_NETS["net"], "third": make_net}}
THREE_DECAYS = {"wd": {"first": 0, "second": 0, "third": 0}}
TRIALS = {"tune": True, "length": UPDATES}
CASES: Dict[str, Tuple[Dict[str, Any], Dict[str, Any]]] = {
    "sweeps of two nets": (TWO_NETS, {}),
    "sweeps of three nets": (THREE_NETS, {}),
    "a race of two nets": (TWO_NETS, TRIALS),
    "a race of three nets": (THREE_NETS, TRIALS),
    "a race of three decays": (THREE_DECAYS, TRIALS),
}


def shares() -> Iterator[Tuple[str, float, float]]:
    """Yield the share of seeds in which some are told apart, and in which one is the best."""
    for name, (values, more) in CASES.items():
        told, won = 0, 0
        for seed in tqdm(SEEDS, name, leave=False):
            found = LRFinder(make(seed)).compare(values, progress=False, **more)
            told += any(found.apart)
            won += found.best is not None
        yield name, told / len(SEEDS), won / len(SEEDS)


def rows() -> Iterator[Row]:
    """Yield the share of seeds in which some are told apart."""
    for name, told, _ in shares():
        yield Row("equals told apart by `compare`", name, told, 0.05)


if __name__ == "__main__":
    print("| compared | told apart | one is the best |\n|---|---:|---:|")
    for name, told, won in shares():
        print(f"| {name} | {told:.0%} | {won:.0%} |", flush=True)
    sys.exit(0)
