"""A checkpoint with one place changed and the digest right: refused by that place, or read whole.

Whatever is refused has changed nothing, and whatever is read can be trained on.
"""

import json
import random
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from conftest import Scale, make_dataset, weights
from test_tensors import digest_of

from gluon_lr import (
    Callback,
    CancelFitException,
    Learner,
    LinearWarmUp,
    ParamScheduler,
    PlateauScheduler,
    annealing,
    load_checkpoint,
    save_checkpoint,
)
from gluon_lr._mxnet import MXNET_2, mx, nd
from gluon_lr.state.checkpoint import load_states
from gluon_lr.state.generators import GlobalState

nn = mx.gluon.nn
IN_CI = 80  # changes of each file
NOT_REMEMBERED = ("lr_scheduler", "param_dict", "rescale_grad", "sym_info")
TAGS = ("__array__", "__float__", "arguments", "class")
OPAQUE = ("generators", "._batch_sampler._sampler.random", "recorder", "scheds")
NESTED = []
for _ in range(400):
    NESTED = [NESTED]
VALUES = [
    *(None, True, -1, 0, 3, 0.5, 1e308, 10**30, -(10**400), "x", [], {}, {"a": 1}, NESTED),
    *({"__float__": "nan"}, {"__float__": "inf"}),
]
KINDS_OF_ARRAYS = [
    lambda array: array.astype(np.float64 if array.dtype != np.float64 else np.float32),
    lambda array: array.astype(np.int32),
    lambda array: array.reshape(-1)[:0],
    lambda array: array.reshape((*array.shape, 1)),
    lambda array: np.stack([array, array]),
    lambda array: np.concatenate([array, array]) if array.ndim else array,
    lambda array: np.full_like(array, np.nan) if array.dtype.kind == "f" else array + 1,
]


class OwnSampler(mx.gluon.data.Sampler):
    """Draws by a generator of its own, and keeps its last number."""

    def __init__(self, length):
        self.length = length
        self.random = np.random.RandomState(11)
        self.last = 0

    def __iter__(self):
        order = self.random.permutation(self.length).tolist()
        self.last = order[-1]
        return iter(order)

    def __len__(self):
        return self.length


class StopAt(Callback):
    """Stops after so many batches, as Ctrl-C would, or ends the fit."""

    def __init__(self, batches, error):
        self.left = batches
        self.error = error

    def after_batch(self, learner):
        self.left -= 1
        if self.left == 0:
            raise self.error


def make_learner(kind):
    """Build a learner of two groups: of fits along curves, or with a plateau in a warm-up."""
    mx.random.seed(3)
    np.random.seed(3)
    random.seed(3)
    net = nn.HybridSequential()
    net.add(nn.Dense(4, activation="relu", in_units=5), nn.BatchNorm(in_channels=4))
    net.add(nn.Dense(3, in_units=4))
    net.initialize(mx.init.Xavier())
    net[2].bias.grad_req = "add"
    params = {"learning_rate": 0.1, "momentum": 0.9}
    if kind == "mxnets":
        params["lr_scheduler"] = mx.lr_scheduler.FactorScheduler(2, 0.5, base_lr=0.1)
    elif kind == "plateau":
        plateau = PlateauScheduler(patience=0, factor=0.5, base_lr=0.1)
        params["lr_scheduler"] = LinearWarmUp(plateau, 0.0, 3)
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", params)
    loader = mx.gluon.data.DataLoader(make_dataset(), 16, sampler=OwnSampler(64))
    valid = [(nd.array(part[:21]), nd.array(label[:21])) for part, label in [make_dataset()[:]]]
    learner = Learner(
        net,
        loader,
        trainer=trainer,
        valid_loader=valid,
        metrics="acc",
        groups=[[net[0], net[1]], net[2]],
    )
    learner.progress = False
    return learner


def interrupted(kind):
    """Return a learner whose fit was interrupted in its second epoch."""
    learner = make_learner(kind)
    if kind == "plateau":
        scheduler = learner.trainer.optimizer.lr_scheduler
        for metric in (3.0, 2.0, 2.5):
            scheduler.schedule.observe(metric)
        scheduler.base_lr = 0.2
    stop = StopAt(6, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        if kind == "curves":
            learner.fine_tune(3, 0.1, cbs=[stop], wd=0.01)
        else:
            mom = ParamScheduler({"mom": annealing.combined_cos(0.3, 0.8, 0.9, 0.8)})
            learner.fit(3, cbs=[mom, stop])
    return learner


def all_of(learner):
    """Return all that a refused file must leave as it is, as text and bytes."""
    trainer = learner.trainer
    optimizer = trainer.optimizer
    updaters = [trainer._kvstore._updater] if trainer._update_on_kvstore else trainer._updaters
    parameters = trainer._params
    return {
        "weights": [array.tobytes() for array in weights(learner)],
        "gradients": [
            (array.asnumpy().tobytes(), one._data[0]._fresh_grad)
            for one in parameters
            for array in one._grad or ()
            if one.grad_req == "add"
        ],
        "grad_reqs": [one.grad_req for one in parameters],
        "states": [
            (index, None if state is None else state.asnumpy().tobytes())
            for updater in updaters
            for index, state in sorted(updater.states.items())
        ],
        "fields": repr(
            {name: value for name, value in vars(optimizer).items() if name not in NOT_REMEMBERED}
        ),
        "scheduler": repr(optimizer.lr_scheduler and optimizer.lr_scheduler.__getstate__()),
        "frozen_to": learner._freezer.frozen_to,
        "fits": text_of([fit.as_data() for fit in learner._fits]),
        "recorder": text_of(learner.recorder.as_data()),
        "place": text_of(learner._batches.place().as_data()),
        "generators": text_of(GlobalState.get().as_data()),
    }


def text_of(data):
    return json.dumps(data, default=lambda array: array.tobytes().hex())


class Forge:
    """A file of `learner.save`, to be written with one place changed and its digest made right."""

    def __init__(self, path):
        with safetensors.safe_open(path, framework="np") as file:
            self.metadata = file.metadata()
        self.arrays = safetensors.numpy.load_file(path)
        self.state = self.metadata["state"]

    def write(self, path, state, arrays):
        metadata = {**self.metadata, "state": state, "sha256": digest_of(state, arrays)}
        Path(path).write_bytes(safetensors.numpy.save(arrays, metadata))

    def changes(self):
        """Return all changes, each as its place and a function that writes the changed file."""
        places = list(places_in(json.loads(self.state)))
        found = [
            (place, partial(self.change_state, place, change))
            for place in places
            for change in (*map(partial(partial, replace), VALUES), remove, add, swap)
        ]
        for name in self.arrays:
            for change in (None, *KINDS_OF_ARRAYS):
                found.append((name.split("/"), partial(self.change_array, name, change)))
        return found

    def change_state(self, place, change):
        state = owner = json.loads(self.state)
        for key in place[:-1]:
            owner = owner[key]
        change(owner, place[-1])
        self.write("changed", json.dumps(state), self.arrays)

    def change_array(self, name, change):
        arrays = dict(self.arrays)
        array = arrays.pop(name)
        if change is not None:
            arrays[name] = np.ascontiguousarray(change(array))
        self.write("changed", self.state, arrays)


def places_in(data, place=()):
    """Yield the path of each value; of a long list, a generator's state, three will do."""
    keys = list(data) if isinstance(data, dict) else list(range(len(data)))
    for key in keys if len(keys) < 300 else [keys[0], keys[7], keys[-1]]:
        yield (*place, key)
        if isinstance(data[key], (dict, list)):
            yield from places_in(data[key], (*place, key))


def replace(value, owner, key):
    owner[key] = value


def remove(owner, key):
    del owner[key]


def add(owner, key):
    if isinstance(owner, list):
        owner.insert(key, owner[key])
    else:
        owner[f"{key} again"] = owner[key]


def swap(owner, key):
    """Exchange the kind of a value."""
    value = owner[key]
    if isinstance(value, dict):
        owner[key] = list(value.values())
    elif isinstance(value, list):
        owner[key] = {str(number): one for number, one in enumerate(value)}
    elif isinstance(value, str):
        owner[key] = [value]
    else:
        owner[key] = str(value)


def outcome(learner, good, place, write):
    """Load a changed file and return what came of it; raise where it should not have."""
    write()
    before = all_of(learner)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            learner.load("changed")
    except ValueError as error:
        assert_named(place, str(error))
        assert changed(before, all_of(learner)) == []
        return "refused"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            train_on(learner)
    except (RuntimeError, ValueError) as error:
        assert "must be" in str(error) or "has not kept its curves" in str(error)
    learner.load("good")
    learner._batches.catch_up()
    assert changed(good, all_of(learner)) == []
    return "loaded"


def assert_named(place, message):
    """Check that a message names the place, or else what this net or the file has not."""
    assert message.startswith("load: `path` must be a")
    others = (
        "must be a file of",
        "must be a file with the parameters of this net",
        "it has only the states of a trainer",
        "cannot be read: there is no",
    )
    assert named_in(place, message) or any(one in message for one in others)


def named_in(place, message):
    """Say whether a message has the last name, or that of the curve or generator it is in."""
    names = [key for key in place if not str(key).isdigit() and key not in TAGS]
    opaque = [key for key in OPAQUE if key in names]
    return any(name in message for name in (names[-1].lstrip("_"), *opaque))


def train_on(learner):
    if learner._fits:
        learner.resume(cbs=StopAt(4, CancelFitException()))
    else:
        learner.iteration()


def changed(before, after):
    return [name for name in before if before[name] != after[name]]


@pytest.mark.parametrize("kind", ["curves", "plateau"])
def test_a_file_with_one_place_changed_is_refused_by_it_or_read_whole(kind):
    interrupted(kind).save("good")
    learner = make_learner(kind)
    learner.load("good")
    learner._batches.catch_up()
    good = all_of(learner)
    changes = Forge("good").changes()
    sample = random.Random(7).sample(changes, IN_CI)
    outcomes = [outcome(learner, good, *change) for change in sample]
    assert set(outcomes) == {"refused", "loaded"}


def trained_by(optimizer, half):
    net = Scale() if half else nn.Dense(5, in_units=5)
    net.initialize()
    params = {"multi_precision": True} if half else {}
    params.update({"momentum": 0.9} if optimizer in ("sgd", "nag", "lars") else {})
    trainer = mx.gluon.Trainer(net.collect_params(), optimizer, params)
    with mx.autograd.record():
        loss = net(nd.ones((2, 5))).sum()
    loss.backward()
    trainer.step(2)
    return net, trainer


@pytest.mark.parametrize(
    ("optimizer", "half", "is_refused"),
    [
        *(("rmsprop", False, True), ("sgd", True, True), ("nag", True, True), ("lars", True, True)),
        *(("sgd", False, False), ("adam", False, False), ("adam", True, False)),
    ],
)
def test_a_file_of_another_mxnet_is_read_or_refused(optimizer, half, is_refused):
    net, trainer = trained_by(optimizer, half)
    save_checkpoint("run", net, trainer)
    forge = Forge("run")
    other = "1.9.1" if MXNET_2 else "2.0.0"
    state = json.dumps({**json.loads(forge.state), "mxnet": other})
    forge.write("changed", state, forge.arrays)
    net, trainer = trained_by(optimizer, half)
    load_checkpoint("run", net, trainer)
    if not is_refused:
        load_checkpoint("changed", net, trainer)
        return
    for load in (load_checkpoint, load_states):
        with pytest.raises(ValueError, match=f"got 'MXNet {other}'. Save only the weights, with"):
            load("changed", net, trainer)
