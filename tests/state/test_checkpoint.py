"""Checkpoints: whole or refused, on other contexts too, and never unpickled."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import fits
import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, weights
from fits import BATCHES, make_learner, state

from gluon_lr import (
    Learner,
    LinearWarmUp,
    PlateauScheduler,
    load_checkpoint,
    save_checkpoint,
)
from gluon_lr._mxnet import MXNET_2, mx, nd

nn = mx.gluon.nn
TREE = [mx.cpu(0), mx.cpu(1), mx.cpu(2)]


def trained(ctx=ONE, **settings):
    learner = make_learner(ctx, **settings)
    learner.fit_one_cycle(1, 0.1)
    return learner


def everything(learner):
    """Return all that a failed load must leave as it is."""
    place = learner._batches.place()
    return (*state(learner), learner._fits, learner._freezer.frozen_to, place.drawn)


def assert_same(left, right):
    assert_same_arrays(left[0], right[0])
    assert_same_arrays(left[1], right[1])
    assert left[5:] == right[5:]


def test_in_a_plain_loop_it_is_two_functions():
    net = nn.Dense(2, in_units=3)
    net.initialize(mx.init.Xavier())
    trainer = mx.gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.1})

    def train():
        with mx.autograd.record():
            loss = (net(nd.arange(12).reshape((4, 3))) ** 2).sum()
        loss.backward()
        trainer.step(4)
        return net.weight.data().asnumpy()

    train()
    save_checkpoint("loop.checkpoint", net, trainer, more={"epoch": 1, "curve": np.arange(3.0)})
    expected = [train(), train()]
    optimizer = trainer.optimizer
    more = load_checkpoint("loop.checkpoint", net, trainer)
    assert more["epoch"] == 1
    np.testing.assert_array_equal(more["curve"], [0, 1, 2])
    assert trainer.optimizer is optimizer
    assert_same_arrays([train(), train()], expected)
    assert os.listdir() == ["loop.checkpoint"]


def test_a_file_cut_at_any_hundredth_is_refused_and_nothing_changes():
    trained().save("run")
    whole = Path("run").read_bytes()
    learner = trained(data="augmented")
    before = everything(learner)
    for hundredth in range(100):
        Path("cut").write_bytes(whole[: len(whole) * hundredth // 100])
        with pytest.raises(ValueError, match="load: `path` must be a checkpoint"):
            learner.load("cut")
    Path("cut").write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=r"that is whole, got 'cut'\. It was cut off or changed"):
        learner.load("cut")
    assert_same(everything(learner), before)


def test_a_file_with_any_byte_flipped_is_refused(monkeypatch):
    trained().save("run")
    whole = bytearray(Path("run").read_bytes())
    content = bytearray(whole)
    monkeypatch.setattr(Path, "read_bytes", lambda self: bytes(content))
    learner = trained()
    before = everything(learner)
    for place in range(len(whole)):
        content[place] ^= 1 << place % 8
        with pytest.raises(ValueError, match="load: `path` must be a checkpoint"):
            learner.load("run")
        content[place] = whole[place]
    assert_same(everything(learner), before)
    learner.load("run")


def test_what_is_no_checkpoint_is_not_read():
    class Exploding:
        def __reduce__(self):
            return os.mkdir, ("exploded",)

    Path("pickle").write_bytes(pickle.dumps(Exploding()))
    Path("array").write_bytes(b"")
    learner = trained()
    learner.trainer.save_states("mxnet")
    for name in ("pickle", "array", "mxnet"):
        for load in (learner.load, learner.load_states):
            with pytest.raises(ValueError, match="must be a checkpoint of gluon_lr"):
                load(name)
    objects = np.array([Exploding()], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle"):
        save_checkpoint("objects", learner.net, learner.trainer, more=objects)
    assert sorted(os.listdir()) == ["array", "mxnet", "pickle"]
    with pytest.raises(FileNotFoundError):
        learner.load("nothing")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: stack(16, 3)[0], "a file of this net, got 'one without bias, weight and"),
        (lambda: stack(8, 3), r"0.weight is float32 of shape \(8, 5\), got 'float32 of shape"),
        (lambda: stack(16, 3, "float16"), "is float16 of shape .*, got 'float32"),
    ],
)
def test_a_checkpoint_of_another_net_is_refused(other, message):
    net = stack(16, 3)
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd")
    save_checkpoint("run", net, trainer)
    net = other()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd")
    before = [p.data().asnumpy() for p in net.collect_params().values()]
    with pytest.raises(ValueError, match=message):
        load_checkpoint("run", net, trainer)
    assert_same_arrays([p.data().asnumpy() for p in net.collect_params().values()], before)


def stack(hidden, classes, dtype="float32"):
    net = nn.HybridSequential()
    net.add(nn.Dense(hidden, in_units=5), nn.Dense(classes, in_units=hidden))
    net.cast(dtype)
    net.initialize()
    return net


def test_a_checkpoint_of_another_trainer_or_learner_is_refused():
    learner, adam = trained(), trained(optimizer="adam")
    adam.save("run")
    before = everything(learner)
    with pytest.raises(ValueError, match="a file of a trainer with SGD, got 'Adam'"):
        learner.load("run")
    with pytest.raises(ValueError, match="a file of a trainer with SGD, got 'Adam'"):
        learner.load_states("run")
    save_checkpoint("plain", learner.net, learner.trainer)
    with pytest.raises(
        ValueError, match=r"a file of Learner\.save of as many parameter groups, 2, got"
    ):
        learner.load("plain")
    learner.save_states("states")
    with pytest.raises(ValueError, match="has the trainer's states alone: load_states reads it"):
        learner.load("states")
    body = mx.gluon.Trainer(learner.net[0].collect_params(), "sgd")
    with pytest.raises(ValueError, match=r"a file of a trainer of 0\.bias, 0\.weight, got"):
        load_checkpoint("plain", learner.net, body)
    assert_same(everything(learner), before)


@pytest.mark.parametrize("source", [ONE, TWO, [mx.cpu(3), mx.cpu(5)]], ids=str)
@pytest.mark.parametrize("target", [ONE, mx.cpu(4), TWO, TREE], ids=str)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_it_goes_to_other_contexts_and_device_ids(source, target, optimizer):
    saved = trained(source, optimizer=optimizer)
    saved.save("run")
    loaded = make_learner(target, optimizer=optimizer)
    loaded.load("run")
    first = source[0] if isinstance(source, list) else source
    places = target if isinstance(target, list) else [target]
    pairs = zip(saved.net.collect_params().values(), loaded.net.collect_params().values())
    for left, right in pairs:
        if "running" not in left.name:
            for place in places:
                np.testing.assert_array_equal(
                    left.data(first).asnumpy(), right.data(place).asnumpy()
                )
        elif len(places) == 1:
            mean = np.mean([array.asnumpy() for array in left.list_data()], axis=0)
            np.testing.assert_allclose(right.data(places[0]).asnumpy(), mean, rtol=1e-6)
    assert loaded.trainer.optimizer.num_update == saved.trainer.optimizer.num_update == BATCHES
    loaded.fit(1, 0.1)
    # goes on counting where the other had stopped, on whichever device (apache/mxnet#17357)
    assert loaded.trainer.optimizer.num_update == 2 * BATCHES
    counts = loaded.trainer.optimizer._index_update_count
    assert set(counts.values()) == {2 * BATCHES}


def test_a_net_that_waits_for_its_shapes_gets_them():
    saved = trained()
    saved.save("run")
    net = nn.HybridSequential()
    net.add(nn.Dense(16, activation="relu"), nn.BatchNorm(), nn.Dense(3))
    waiting = Learner(
        net,
        saved.data_loader,
        optimizer="sgd",
        optimizer_params={"momentum": 0.9},
        groups=[[net[0], net[1]], net[2]],
    )
    waiting.load("run")
    assert_same_arrays(weights(waiting), weights(saved))


def test_what_a_scheduler_remembers_comes_back_into_the_same_object():
    plateau = PlateauScheduler(patience=0, factor=0.5, base_lr=0.4)
    ours, mxnets = LinearWarmUp(plateau, 0, 2), mx.lr_scheduler.FactorScheduler(2, 0.5, base_lr=1)
    for scheduler in (ours, mxnets):
        net = stack(4, 3)
        trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"lr_scheduler": scheduler})
        plateau.observe(1)
        plateau.observe(2)
        scheduler(9)
        rate = scheduler(9)
        save_checkpoint("run", net, trainer)
        plateau.observe(3)
        scheduler(30)
        assert scheduler(30) != rate
        load_checkpoint("run", net, trainer)
        assert trainer.optimizer.lr_scheduler is scheduler
        assert scheduler(9) == rate


@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize(
    "optimizer",
    [
        "signum",
        "ftml",
        "lars",
        "lamb",
        "nag",
        "adam",
        "rmsprop",
        "adagrad",
        "adadelta",
        "ftrl",
        "adamax",
        "nadam",
        "dcasgd",
    ],
)
def test_each_optimizer_goes_on_as_it_would_have(optimizer, ctx):
    straight, loaded = (make_learner(ctx, optimizer) for _ in range(2))
    np.random.seed(0)
    for _ in range(3):
        straight.iteration()
    straight.save("run")
    losses = [straight.iteration() for _ in range(3)]
    loaded.load("run")
    assert [loaded.iteration() for _ in range(3)] == losses
    assert_same_arrays(weights(loaded), weights(straight))


@pytest.mark.skipif(MXNET_2, reason="MXNet 2.0 removed sparse gradients from Gluon")
@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_gradients_stored_by_rows(optimizer, ctx):
    def make():
        mx.random.seed(2)
        net = nn.HybridSequential()
        net.add(nn.Embedding(20, 4, sparse_grad=True), nn.Dense(3, in_units=20))
        data = nd.array(np.random.RandomState(0).randint(0, 20, (64, 5)))
        loader = mx.gluon.data.DataLoader(mx.gluon.data.ArrayDataset(data, nd.ones(64)), 16)
        return Learner(net, loader, ctx=ctx, optimizer=optimizer)

    straight, loaded = make(), make()
    for _ in range(3):
        straight.iteration(0.1)
    straight.save("run")
    losses = [straight.iteration(0.1) for _ in range(3)]
    loaded.load("run")
    assert [loaded.iteration(0.1) for _ in range(3)] == losses
    assert_same_arrays(weights(loaded), weights(straight))


def test_parameters_that_are_not_the_nets_have_their_own_states():
    nets = [nn.Dense(2, in_units=3) for _ in range(3)]
    parameters = []
    for net in nets:
        net.initialize(mx.init.Xavier())
        parameters += net.collect_params().values()
    trainer = mx.gluon.Trainer(parameters, "adam")

    def states():
        updater = trainer._updaters[0]
        return [array.asnumpy() for i in sorted(updater.states) for array in updater.states[i]]

    def train(times):
        with mx.autograd.record():
            loss = sum((k * net(nd.ones((4, 3)) * times) ** 2).sum() for k, net in enumerate(nets))
        loss.backward()
        trainer.step(4)

    train(1)
    save_checkpoint("run", nets[0], trainer)
    saved = states()
    train(2)
    load_checkpoint("run", nets[0], trainer)
    assert_same_arrays(states(), saved)
    assert not (saved[4] == saved[8]).all()


def test_an_optimizer_that_remembers_more_cannot_be_saved():
    learner = trained()
    learner.trainer.optimizer.history = [1, 2]
    with pytest.raises(ValueError, match=r"one that remembers numbers alone.*'history', list"):
        learner.save("run")
    assert os.listdir() == []


def test_parameters_and_states_alone_as_in_the_tutorial():
    straight, learner = make_learner(), None
    straight.fit(1, 0.1)
    straight.fit(1, 0.1)
    expected = weights(straight)
    for first in ("params", "states"):
        learner = make_learner()
        learner.fit(1, 0.1)
        learner.save_params("params")
        learner.save_states("states")
        for _ in range(5):
            learner.iteration(0.5)
        for name in (first, "states" if first == "params" else "params"):
            getattr(learner, f"load_{name}")(name)
        learner._batches.close()
        again = make_learner()
        again.fit(1, 0.1)  # brings the generators to where they were
        learner.fit(1, 0.1)
        assert_same_arrays(weights(learner), expected)
    plain = make_learner()
    plain.net.load_parameters("params")
    with pytest.raises(ValueError, match="a file of this net"):
        Learner(nn.Dense(3, in_units=5), []).load_params("params")
    mx.nd.save("list", [mx.nd.ones(1)])
    with pytest.raises(ValueError, match="load_params: `path` must be a file of parameters by"):
        learner.load_params("list")


@pytest.mark.parametrize("settings", [{"ctx": TWO}, {"ctx": TWO, "update_on_kvstore": False}])
def test_parameters_alone_leave_the_momentum(settings):
    learner = trained(**settings)
    learner.save_params("params")
    before = state(learner)
    learner.load_params("params")
    after = state(learner)
    for left, right, name in zip(before[0], after[0], learner.net.collect_params()):
        if "running" not in name:
            np.testing.assert_array_equal(left, right)
    assert_same_arrays(before[0][-4:], after[0][-4:])


CRASH = """
import sys
sys.path.insert(0, {tests!r})
from fits import make_learner
learner = make_learner()
learner.fit(1, 0.1)
count = 0
def crash(event, arguments):
    global count
    if event in ("open", "os.rename") and "run" in str(arguments[0]):
        count += 1
        if count == {at}:
            import os, signal
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(crash)
learner.save("run")
"""


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_kill_while_it_is_written_leaves_the_old_one(at):
    learner = make_learner()
    learner.save("run")
    old = Path("run").read_bytes()
    Path("crash.py").write_text(CRASH.format(tests=str(Path(fits.__file__).parent), at=at))
    done = subprocess.run([sys.executable, "crash.py"], check=False)
    assert done.returncode == -9
    assert Path("run").read_bytes() == old
    learner.fit(1, 0.1)
    learner.save("run")
    assert Path("run").read_bytes() != old
    assert sorted(os.listdir()) == ["crash.py", "run"]


def test_there_is_no_loading_during_a_fit():
    from gluon_lr import Callback

    class Load(Callback):
        def after_batch(self, learner):
            learner.load("run")

    learner = trained()
    learner.save("run")
    with pytest.raises(RuntimeError, match="a fit is at work; load before or after it"):
        learner.fit(1, 0.1, cbs=Load())
