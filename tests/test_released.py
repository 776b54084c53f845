"""Files that earlier releases wrote are read, and mean what they meant.

At a release, `python tests/test_released.py` writes the folder of its version.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import gluon_lr
from gluon_lr import Callback, Comparison, Learner, LRFinder, LRFinderResult, Schedule, TuneResult
from gluon_lr._mxnet import mx
from gluon_lr.finder.suggest import Refusal

RELEASED = Path(__file__).parent / "released"
FOLDERS = [pytest.param(folder, id=folder.name) for folder in sorted(RELEASED.iterdir())]
COUNTS = [*range(1, 16), 100, 1000]


REWORDED = {
    "the loss rises and has not fallen before, as where a net is trained already": str(
        Refusal.RISING
    ),
    "none of them has a rate to train at": "no setting has a suggestion",
}


class StopError(Exception):
    """The end of a fit in the middle of an epoch."""


class StopAt(Callback):
    def __init__(self, update):
        self.update = update

    def before_batch(self, learner):
        if len(learner.recorder) == self.update:
            raise StopError


def make_learner():
    random = np.random.RandomState(0)
    data = random.randn(40, 3).astype("float32")
    label = (data[:, 0] > 0).astype("float32")
    batches = [(data[n : n + 8], label[n : n + 8]) for n in range(0, 40, 8)]
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Dense(4, activation="tanh", in_units=3), mx.gluon.nn.BatchNorm())
    net.add(mx.gluon.nn.Dense(2, in_units=4))
    net.initialize(mx.init.Xavier())
    return Learner(net, batches, optimizer="adam", valid_loader=batches)


def arrays_of(learner):
    parameters = learner.net.collect_params().values()
    return [parameter.data().asnumpy().tolist() for parameter in parameters]


@pytest.mark.parametrize("folder", FOLDERS)
def test_schedules_are_read(folder):
    saved = json.loads((folder / "schedules.json").read_text())
    assert len(saved) > 30
    for one in saved:
        for read in (gluon_lr.schedule(one["text"]), Schedule.from_config(one["config"])):
            assert repr(read) == one["text"]
            np.testing.assert_allclose(read.values(COUNTS), one["lrs"], rtol=1e-12)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize(
    "name, cls", [("search", LRFinderResult), ("tune", TuneResult), ("comparison", Comparison)]
)
def test_results_are_read(folder, name, cls):
    text = (folder / f"{name}.json").read_text()
    result = cls.from_json(text)
    for before, now in REWORDED.items():
        text = text.replace(before, now)
    assert json.loads(result.to_json()) == json.loads(text)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_checkpoint_goes_on_to_the_same_weights(folder):
    learner = make_learner()
    learner.load(folder / "fit.checkpoint")
    assert len(learner.recorder) == 7
    learner.resume()
    expected = json.loads((folder / "weights.json").read_text())
    assert len(learner.recorder) == 20
    for ours, theirs in zip(arrays_of(learner), expected):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def write(folder):
    """Write what this version writes into a folder."""
    from test_optimizer_contract import every_schedule

    folder.mkdir(parents=True)
    saved = [
        {"text": repr(one), "config": one.to_config(), "lrs": one.values(COUNTS).tolist()}
        for one in map(as_stated, every_schedule())
    ]
    (folder / "schedules.json").write_text(json.dumps(saved, indent=1))
    learner = make_learner()
    finder = LRFinder(learner)
    (folder / "search.json").write_text(finder.find(num_iter=40).to_json())
    (folder / "tune.json").write_text(finder.tune(length=10, budget=40).to_json())
    compared = finder.compare({"wd": [0, 0.1]}, num_iter=40, repeats=2)
    (folder / "comparison.json").write_text(compared.to_json())
    try:
        learner.fit_one_cycle(4, 0.1, cbs=StopAt(7))
    except StopError:
        learner.save(folder / "fit.checkpoint")
    learner.resume()
    (folder / "weights.json").write_text(json.dumps(arrays_of(learner)))


def as_stated(schedule):
    """Return a schedule without what it has observed, which is in no text."""
    return gluon_lr.schedule(repr(schedule))


if __name__ == "__main__":
    write(RELEASED / gluon_lr.__version__)
