"""Checkpoints: whole or refused, on other contexts too, and never unpickled."""

import itertools
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, make_dataset, weights
from fits import BATCHES, make_learner, state
from forks import FORK

from gluon_lr import (
    Callback,
    Learner,
    LinearWarmUp,
    PlateauScheduler,
    load_checkpoint,
    preserved,
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
    with pytest.raises(
        ValueError, match=r"complete and unchanged, got 'cut'\. .* cut off or changed"
    ):
        learner.load("cut")
    assert_same(everything(learner), before)


def test_a_file_with_each_seventh_byte_changed_is_refused(monkeypatch):
    trained().save("run")
    whole = bytearray(Path("run").read_bytes())
    content = bytearray(whole)
    monkeypatch.setattr(Path, "read_bytes", lambda self: bytes(content))
    learner = trained()
    before = everything(learner)
    for place in range(0, len(whole), 7):  # and so each bit in turn
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
    with pytest.raises(TypeError, match="`more` must be arrays of bool, integers or floats"):
        save_checkpoint("objects", learner.net, learner.trainer, more=objects)
    assert sorted(os.listdir()) == ["array", "mxnet", "pickle"]
    with pytest.raises(FileNotFoundError):
        learner.load("nothing")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            lambda: stack(16, 3)[0],
            "parameters of this net, got 'a file that lacks bias, weight and",
        ),
        (
            lambda: stack(8, 3),
            r"\['0.weight'\]\[0\] is an array of float32 with shape \(8, 5\), "
            "got an array of float32 with shape",
        ),
        (
            lambda: stack(16, 3, "float16"),
            "is an array of float16 with shape .*, got an array of float32",
        ),
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
        ValueError,
        match=r"a file of Learner\.save for these parameter groups, 0\.weight, .* for none",
    ):
        learner.load("plain")
    learner.save_states("states")
    with pytest.raises(ValueError, match="Read this file with load_states: it has only the states"):
        learner.load("states")
    body = mx.gluon.Trainer(learner.net[0].collect_params(), "sgd")
    with pytest.raises(
        ValueError, match=r"a file of a trainer with the parameters 0\.bias, 0\.weight, got"
    ):
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
    with pytest.raises(ValueError, match=r"one that stores only numbers.*'history', list"):
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
    with pytest.raises(ValueError, match="a file with the parameters of this net"):
        Learner(nn.Dense(3, in_units=5), []).load_params("params")
    mx.nd.save("list", [mx.nd.ones(1)])
    with pytest.raises(ValueError, match="load_params: `path` must be a file of named param"):
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


def save_and_crash(at):
    """Train and save, and be killed at the n-th opening or renaming of the file."""
    learner = make_learner()
    learner.fit(1, 0.1)
    places = itertools.count(1)

    def crash(event, arguments):
        of_it = event in ("open", "os.rename") and "run" in str(arguments[0])
        if of_it and next(places) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(crash)
    learner.save("run")


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_kill_while_it_is_written_leaves_the_old_one(at):
    learner = make_learner()
    learner.save("run")
    old = Path("run").read_bytes()
    saving = FORK.Process(target=save_and_crash, args=(at,))
    saving.start()
    saving.join()
    assert saving.exitcode == -signal.SIGKILL
    assert Path("run").read_bytes() == old
    learner.fit(1, 0.1)
    learner.save("run")
    assert Path("run").read_bytes() != old
    assert os.listdir() == ["run"]


def adding(ctx):
    """Return a learner whose gradients are added up over batches, as one with small memory does."""
    learner = make_learner(ctx)
    for parameter in learner.net.collect_params().values():
        if parameter.grad_req == "write":
            parameter.grad_req = "add"
    return learner


def one_step_of_two(learner):
    learner.iteration(0.1, take_step=False)
    learner.iteration(0.1)
    for parameter in learner.net.collect_params().values():
        if parameter.grad_req == "add":
            for gradient in parameter.list_grad():  # zero_grad() raises in MXNet 2.0.0b1
                gradient[:] = 0


def gradients(learner):
    """Return the gradients, summed over contexts."""
    parameters = learner.net.collect_params().values()
    return [sum(array.asnumpy() for array in one._grad) for one in parameters if one._grad]


@pytest.mark.parametrize("target", [ONE, TWO, TREE], ids=str)
@pytest.mark.parametrize("source", [ONE, TWO], ids=str)
def test_gradients_that_add_up_go_on_between_two_steps(source, target):
    straight, loaded = adding(source), adding(target)
    one_step_of_two(straight)
    straight.iteration(0.1, take_step=False)
    straight.save("run")
    loaded.iteration(0.3, take_step=False)
    loaded.load("run")
    if source == target:
        assert_same_arrays(gradients(loaded), gradients(straight))
    for left, right in zip(gradients(loaded), gradients(straight)):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-7)
    for learner in (straight, loaded):
        learner.iteration(0.1)
    if source == target:
        assert_same_arrays(weights(loaded), weights(straight))


@pytest.mark.parametrize(
    ("groups", "shown"),
    [
        (lambda net: [net[2], [net[0], net[1]]], r"2\.weight, 2\.bias \| 0\.weight, .*got"),
        (lambda net: [[net[1], net[0]], net[2]], r"1\.gamma, .*0\.weight, 0\.bias \| .*got"),
        (
            lambda net: [net[0], net[1], net[2]],
            r"0\.weight, 0\.bias \| 1\.gamma, .*\| 2.*got",
        ),
        (lambda net: None, r"[^|]*, got"),
    ],
    ids=["in another order", "ordered otherwise within", "split", "one"],
)
def test_other_groups_are_refused_and_both_are_shown(groups, shown):
    trained().save("run")
    learner = trained()
    other = Learner(
        learner.net, learner.data_loader, trainer=learner.trainer, groups=groups(learner.net)
    )
    before = everything(learner)
    saved = r"0\.weight, 0\.bias, 1\.gamma, .* \| 2\.weight, 2\.bias"
    with pytest.raises(ValueError, match=f"for these parameter groups, {shown} 'run, for {saved}'"):
        other.load("run")
    assert_same(everything(learner), before)


def test_parameters_that_are_renamed_are_refused_and_both_names_are_shown():
    trained().save("run")
    renamed = trained()

    class Net(nn.HybridSequential):
        """The same layers by other names."""

        def __init__(self, layers):
            super().__init__()
            self.body, self.norm, self.head = layers

    net = Net(list(renamed.net))
    groups = [[net.body, net.norm], net.head]
    other = Learner(net, renamed.data_loader, trainer=renamed.trainer, groups=groups)
    for load in (other.load, other.load_states):
        with pytest.raises(ValueError, match=r"lacks .*body\.bias.* and adds 0\.bias"):
            load("run")


class Bert(mx.optimizer.Adam):
    """An optimizer that sets its scale as GluonNLP's bertadam does: to an array of one number."""

    def update(self, *arguments):
        scale = self.rescale_grad
        self.rescale_grad = scale.asscalar() if isinstance(scale, mx.nd.NDArray) else scale
        super().update(*arguments)
        self.rescale_grad = mx.nd.array([self.rescale_grad])


def plain_loop(optimizer, **params):
    """Return a net, its trainer, and a function that makes an update."""
    mx.random.seed(4)
    net = nn.Dense(2, in_units=3)
    net.initialize(mx.init.Xavier())
    if isinstance(optimizer, type):
        optimizer, params = optimizer(**params), None
    trainer = mx.gluon.Trainer(net.collect_params(), optimizer, params)

    def train(updates):
        for _ in range(updates):
            with mx.autograd.record():
                loss = (net(nd.arange(12).reshape((4, 3))) ** 2).sum()
            loss.backward()
            trainer.step(4)
        return [net.weight.data().asnumpy(), net.bias.data().asnumpy()]

    return net, trainer, train


@pytest.mark.parametrize("updates", [0, 3])
@pytest.mark.parametrize("optimizer", ["adam", "nadam", "sgd"])
def test_a_plain_loop_goes_on_as_it_would_have(optimizer, updates):
    net, trainer, train = plain_loop(optimizer, learning_rate=0.01)
    train(updates)
    save_checkpoint("run", net, trainer)
    expected = train(3)
    net, trainer, train = plain_loop(optimizer, learning_rate=0.01)
    train(2)
    load_checkpoint("run", net, trainer)
    assert trainer.optimizer.num_update == updates
    assert_same_arrays(train(3), expected)


def test_what_an_optimizer_counts_beside_its_arguments_is_kept():
    net, trainer, train = plain_loop("nadam")
    train(3)
    schedule = trainer.optimizer.m_schedule
    assert schedule != 1
    save_checkpoint("run", net, trainer)
    train(3)
    load_checkpoint("run", net, trainer)
    assert trainer.optimizer.m_schedule == schedule


def test_a_scale_that_is_an_array_does_not_matter():
    net, trainer, train = plain_loop(Bert)
    train(2)
    assert isinstance(trainer.optimizer.rescale_grad, mx.nd.NDArray)
    save_checkpoint("run", net, trainer)
    expected = train(2)
    net, trainer, train = plain_loop(Bert)
    load_checkpoint("run", net, trainer)
    assert_same_arrays(train(2), expected)


def waiting(ctx, update_on_kvstore, kvstore="device"):
    """Return a learner whose net waits for its shapes, but for the biases."""
    mx.random.seed(3)
    np.random.seed(3)
    net = nn.HybridSequential()
    net.add(nn.Dense(4, activation="relu"), nn.LayerNorm(), nn.Dense(3))
    net.initialize(mx.init.Xavier(), ctx=ctx)
    trainer = mx.gluon.Trainer(
        net.collect_params(),
        "adam",
        {"learning_rate": 0.1},
        kvstore=mx.kv.create("local") if kvstore == "given" else kvstore,
        update_on_kvstore=update_on_kvstore,
    )
    data, label = make_dataset()[:]
    loader = [(nd.array(data[i : i + 16]), nd.array(label[i : i + 16])) for i in (0, 16, 32, 48)]
    return Learner(net, loader, trainer=trainer)


def saved_and_waiting(*settings):
    """Save a learner in all ways after three updates; return it and one that waits."""
    saved, learner = (waiting(*settings) for _ in range(2))
    for _ in range(3):
        saved.iteration()
    saved.save("run")
    saved.save_params("params")
    saved.save_states("states")
    return saved, learner


PLACES = [(ONE, None), (TWO, True), (TWO, False)]
WAYS = [["load"], ["load_params", "load_states"], ["load_states", "load_params"]]


@pytest.mark.parametrize("settings", [*PLACES, (ONE, True, "given")], ids=str)
@pytest.mark.parametrize("names", WAYS, ids="-".join)
def test_a_net_that_waits_for_its_shapes_goes_on(settings, names):
    straight, learner = saved_and_waiting(*settings)
    load_all(learner, names)
    if names != ["load"]:  # these two have no place in the data
        for _ in range(3):
            learner._batches.next()
    assert [learner.iteration() for _ in range(3)] == [straight.iteration() for _ in range(3)]
    assert_same_arrays(weights(learner), weights(straight))


@pytest.mark.parametrize("settings", PLACES, ids=str)
@pytest.mark.parametrize("names", [*WAYS, ["load_states"]], ids="-".join)
def test_a_net_that_waits_can_be_loaded_for_a_while(settings, names):
    saved, learner = saved_and_waiting(*settings)
    before = [None if one._deferred_init else one.data().asnumpy() for one in params(learner)]
    with preserved(learner.net, learner.trainer), learner.place_kept():
        load_all(learner, names)
        learner.iteration()
    assert learner.trainer.optimizer.num_update == 0
    for own, value, of_file in zip(params(learner), before, params(saved)):
        for array in own.list_data():
            if value is not None:
                np.testing.assert_array_equal(array.asnumpy(), value)
            elif names != ["load_states"]:  # what waited keeps the first values
                np.testing.assert_array_equal(array.asnumpy(), of_file.data().asnumpy())
    assert learner.iteration() > 0
    assert learner.trainer.optimizer.num_update == 1


def params(learner):
    return learner.net.collect_params().values()


def load_all(learner, names):
    for name in names:
        getattr(learner, name)("run" if name == "load" else name.split("_")[1])


SET_NP = """
import numpy as np
from gluon_lr._mxnet import mx
from gluon_lr import Learner

mx.npx.set_np()
data = mx.np.array(np.random.RandomState(0).randn(8, 4), dtype="float32")
loader = [(data, mx.np.array([0, 1, 1, 0] * 2)), (-data, mx.np.array([1, 0, 0, 1] * 2))]

def make():
    mx.random.seed(0)
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Dense(3), mx.gluon.nn.BatchNorm(), mx.gluon.nn.Dense(2))
    learner = Learner(net, loader, optimizer="adam", valid_loader=loader, metrics="acc")
    learner.progress = False
    return learner

def numbers(learner):
    return [one.data().asnumpy().tolist() for one in learner.net.collect_params().values()]

straight = make()
straight.fit(1, 0.1)
straight.save("run")
straight.save_params("params")
straight.save_states("states")
measured = straight.validate()
assert set(measured) == {"valid_loss", "accuracy"}
straight.fit(1, 0.1)
for names in (["run"], ["params", "states"]):
    loaded = make()
    for name in names:
        {"run": loaded.load, "params": loaded.load_params, "states": loaded.load_states}[name](name)
    assert loaded.validate(metrics="acc") == measured
    loaded.fit(1, 0.1)
    assert numbers(loaded) == numbers(straight)
"""


def test_arrays_of_mx_np():
    command = [sys.executable, "-c", SET_NP]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("then", ["resume", "fit"])
@pytest.mark.parametrize("frozen_to", [0, 1])
def test_a_learner_that_has_made_no_update(then, frozen_to):
    straight, loaded = make_learner(), make_learner()
    straight.freeze_to(frozen_to)
    np.random.seed(8)
    if then == "resume":
        with pytest.raises(KeyboardInterrupt):
            straight.fit(2, 0.1, cbs=Raise("before_batch"))
    straight.save("run")
    np.random.seed(8)
    straight.resume() if then == "resume" else straight.fit(2, 0.1)
    loaded.load("run")
    np.random.seed(8)
    loaded.resume() if then == "resume" else loaded.fit(2, 0.1)
    assert loaded._freezer.frozen_to == frozen_to
    assert_same_arrays(weights(loaded), weights(straight))
    for parameter in loaded.groups[0]:
        assert (parameter.grad_req == "null") == (frozen_to == 1 or "running" in parameter.name)


def test_a_trainer_that_was_used_before_its_learner():
    def make(updates):
        mx.random.seed(6)
        net = stack(4, 3)
        scheduler = mx.lr_scheduler.FactorScheduler(2, 0.5, base_lr=0.4)
        params = {"lr_scheduler": scheduler, "momentum": 0.9}
        trainer = mx.gluon.Trainer(net.collect_params(), "sgd", params)
        batch = nd.array(make_dataset()[:16][0]), nd.array(make_dataset()[:16][1])
        for _ in range(updates):
            with mx.autograd.record():
                loss = (net(batch[0]) ** 2).sum()
            loss.backward()
            trainer.step(16)
        return Learner(net, [batch], trainer=trainer)

    straight, loaded = make(5), make(0)
    straight.save("run")
    expected = [straight.iteration() for _ in range(4)]
    loaded.load("run")
    assert loaded.trainer.optimizer.num_update == 5
    assert [loaded.iteration() for _ in range(4)] == expected
    assert_same_arrays(weights(loaded), weights(straight))


class Raise(Callback):
    """Does something in a fit, the once; by default it is interrupted."""

    def __init__(self, event, action=None):
        setattr(self, event, self._act)
        self.action = action

    def _act(self, learner):
        if self.action is None:
            raise KeyboardInterrupt
        self.action(learner)


@pytest.mark.parametrize("event", ["before_fit", "before_batch", "after_batch", "after_epoch"])
@pytest.mark.parametrize(
    "action",
    [
        lambda learner: learner.fit(1, 0.1),
        lambda learner: learner.fit_one_cycle(1, 0.1),
        lambda learner: learner.fine_tune(1),
        lambda learner: learner.resume(),
        lambda learner: learner.load("run"),
        lambda learner: learner.load_states("run"),
    ],
    ids=["fit", "fit_one_cycle", "fine_tune", "resume", "load", "load_states"],
)
def test_in_a_fit_there_is_no_other_and_no_loading(event, action):
    straight, learner = make_learner(), make_learner()
    straight.save("run")
    np.random.seed(8)
    straight.fit(2, 0.1)
    np.random.seed(8)
    with pytest.raises(
        RuntimeError, match=r"Learner: \w+ is not possible while a fit is running\."
    ):
        learner.fit(2, 0.1, cbs=Raise(event, action))
    learner.resume()
    assert_same_arrays(weights(learner), weights(straight))
