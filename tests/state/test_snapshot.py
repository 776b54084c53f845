"""After `preserved`, training goes on bit for bit as if the block had never run."""

import random
import threading

import numpy as np
import pytest
from conftest import ONE, TWO, Scale, assert_same_arrays, make_learner, stated, weights

from gluon_lr import FactorScheduler, Learner, preserved
from gluon_lr._mxnet import MXNET_2, mx, nd

OPTIMIZERS = [
    ("sgd", {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.01}),
    ("nadam", {"learning_rate": 0.01}),
    ("rmsprop", {"learning_rate": 0.01, "centered": True}),
    ("sgd", {"lr_scheduler": FactorScheduler(2, 0.5, base_lr=0.2), "momentum": 0.9}),
]
PLACES = [(ONE, None), (ONE, False), (TWO, None), (TWO, True), (TWO, False)]
CASES = [  # each optimizer in each place, before the first update or after three, in turn
    (*place, 3 * ((first + second) % 2), *optimizer)
    for first, optimizer in enumerate(OPTIMIZERS)
    for second, place in enumerate(PLACES)
]


def learner_with(ctx, optimizer, params, update_on_kvstore):
    return make_learner(
        ctx,
        trainer=lambda net: mx.gluon.Trainer(
            net.collect_params(),
            optimizer,
            stated(optimizer, params),
            update_on_kvstore=update_on_kvstore,
        ),
    )


def train(learner, iterations):
    return [learner.iteration() for _ in range(iterations)]


@pytest.mark.parametrize(
    ("ctx", "update_on_kvstore", "iterations_before", "optimizer", "params"), CASES
)
def test_leaves_no_trace(ctx, update_on_kvstore, iterations_before, optimizer, params):
    straight, disturbed = (
        learner_with(ctx, optimizer, params, update_on_kvstore) for _ in range(2)
    )
    train(straight, iterations_before)
    train(disturbed, iterations_before)
    own = disturbed.trainer.optimizer, disturbed.trainer.optimizer.lr_scheduler
    with preserved(disturbed.net, disturbed.trainer):
        for _ in range(8):  # two whole passes over the data
            disturbed.iteration(lr=1)
        disturbed.trainer.optimizer.lr_scheduler = None
    assert (disturbed.trainer.optimizer, disturbed.trainer.optimizer.lr_scheduler) == own
    assert disturbed.trainer.optimizer is own[0]
    assert train(disturbed, 20) == train(straight, 20)
    assert disturbed.trainer.learning_rate == straight.trainer.learning_rate
    assert disturbed.trainer.optimizer.num_update == straight.trainer.optimizer.num_update
    assert_same_arrays(weights(disturbed), weights(straight))


@pytest.mark.parametrize("ctx", [ONE, TWO])
@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_puts_back_after_an_exception(ctx, error):
    learner = make_learner(ctx, learning_rate=0.1)
    train(learner, 2)
    before = weights(learner)
    with pytest.raises(error), preserved(learner.net, learner.trainer):
        learner.iteration(lr=1)
        raise error
    assert_same_arrays(weights(learner), before)


def test_gradients_that_wait_for_a_step_still_wait():
    straight, disturbed = (make_learner(learning_rate=0.1) for _ in range(2))
    for learner in (straight, disturbed):
        learner.iteration(take_step=False)
    with preserved(disturbed.net, disturbed.trainer):
        disturbed.iteration(lr=1)
    for learner in (straight, disturbed):
        learner.trainer.step(16)
    assert_same_arrays(weights(disturbed), weights(straight))


def test_mxnets_own_scheduler_forgets_what_it_counted():
    scheduler = mx.lr_scheduler.FactorScheduler(1, 0.5, base_lr=1)
    learner = learner_with(ONE, "sgd", {"lr_scheduler": scheduler}, None)
    train(learner, 2)
    before = dict(vars(scheduler))
    with preserved(learner.net, learner.trainer):
        train(learner, 5)
        assert vars(scheduler) != before
    assert vars(scheduler) == before
    assert learner.trainer.optimizer.lr_scheduler is scheduler


def test_float16_weights_with_their_float32_copies():
    def make():
        net = Scale()
        net.initialize()
        params = {"learning_rate": 0.1, "momentum": 0.9, "multi_precision": True}
        return net, mx.gluon.Trainer(net.collect_params(), "sgd", params)

    def step(net, trainer):
        with mx.autograd.record():
            loss = net(nd.ones((2, 5), dtype="float16")).sum()
        loss.backward()
        trainer.step(2)

    results = []
    for disturb in (False, True):
        net, trainer = make()
        step(net, trainer)
        if disturb:
            with preserved(net, trainer):
                step(net, trainer)
        step(net, trainer)
        results.append([p.data().asnumpy() for p in net.collect_params().values()])
    assert_same_arrays(*results)


def test_a_kvstore_the_user_made():
    straight, disturbed = (
        make_learner(
            TWO,
            trainer=lambda net: mx.gluon.Trainer(
                net.collect_params(), "adam", kvstore=mx.kv.create("local")
            ),
        )
        for _ in range(2)
    )
    train(straight, 1)
    train(disturbed, 1)
    with preserved(disturbed.net, disturbed.trainer):
        train(disturbed, 8)
    assert train(disturbed, 4) == train(straight, 4)


def waiting_net():
    mx.random.seed(4)
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Dense(4), mx.gluon.nn.BatchNorm(), mx.gluon.nn.Dense(3))
    net.initialize()
    return net, mx.gluon.Trainer(net.collect_params(), "adam")


def step(net, trainer, samples=4):
    with mx.autograd.record():
        loss = (net(nd.arange(samples * 5).reshape((samples, 5))) ** 2).sum()
    loss.backward()
    trainer.step(samples)


def values(net):
    return [p.data().asnumpy() for p in net.collect_params().values()]


@pytest.mark.parametrize("seed", [None, 4])
@pytest.mark.parametrize("part", ["whole", "by layers"])
def test_a_net_that_waits_for_its_shapes(seed, part):
    straight, disturbed = waiting_net(), waiting_net()
    mx.random.seed(4)
    with preserved(*disturbed, seed=seed):
        if part == "whole":
            step(*disturbed)
        else:
            out = nd.ones((2, 5))
            for layer in disturbed[0]:
                out = layer(out)
    if seed is None:  # it has met its data, and keeps what it got then
        assert disturbed[0][0].weight.shape == (4, 5)
    else:
        assert disturbed[0][0].weight.shape[1] in (0, -1)
    mx.random.seed(4)
    step(*disturbed)
    mx.random.seed(4)
    step(*straight)
    assert_same_arrays(values(disturbed[0]), values(straight[0]))


@pytest.mark.parametrize("hybrid", [False, True])
def test_a_net_that_goes_on_waiting_may_meet_other_data(hybrid):
    net, trainer = waiting_net()
    net.hybridize(hybrid)
    with preserved(net, trainer, seed=1):
        net(nd.ones((2, 5)))
    net(nd.ones((2, 7)))
    assert net[0].weight.shape == (4, 7)


def test_ctrl_c_while_a_parameter_gets_its_first_values(monkeypatch):
    net, trainer = waiting_net()

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(net[1].gamma, "_init_impl", interrupted)
    with pytest.raises(KeyboardInterrupt), preserved(net, trainer):
        step(net, trainer)
    monkeypatch.undo()
    step(net, trainer)
    assert net[1].gamma.shape == (4,)


@pytest.mark.parametrize(("ctx", "update_on_kvstore"), [(ONE, None), (TWO, True), (TWO, False)])
def test_states_loaded_in_the_block_go_again(ctx, update_on_kvstore):
    straight, disturbed = (
        learner_with(ctx, "adam", {"learning_rate": 0.01}, update_on_kvstore) for _ in range(2)
    )
    for learner in (straight, disturbed):
        train(learner, 1)
        learner.trainer.save_states("states")
        train(learner, 3)
    optimizer = disturbed.trainer.optimizer
    with preserved(disturbed.net, disturbed.trainer):
        disturbed.trainer.load_states("states")
        train(disturbed, 4)
    assert disturbed.trainer.optimizer is optimizer
    assert train(disturbed, 4) == train(straight, 4)
    assert optimizer.num_update == straight.trainer.optimizer.num_update == 8


def test_a_block_that_never_ran_the_net_changes_nothing():
    net, trainer = waiting_net()
    with preserved(net, trainer):
        pass
    step(net, trainer)
    assert net[0].weight.shape == (4, 5)


def test_a_net_that_is_not_initialised_is_an_error():
    _, trainer = waiting_net()
    other = mx.gluon.nn.Dense(3)
    with pytest.raises(RuntimeError, match="not been initialized"), preserved(other, trainer):
        raise AssertionError("the block must not run")


def test_arrays_of_weights_gradients_and_states_stay_the_same_objects():
    learner = make_learner(TWO, learning_rate=0.1, momentum=0.9)
    train(learner, 2)
    states = learner.trainer._kvstore._updater.states

    def arrays():
        parameters = learner.net.collect_params().values()
        trained = [p for p in parameters if p.grad_req != "null"]
        now = learner.trainer._kvstore._updater.states
        return [
            *(id(array) for p in parameters for array in p.list_data()),
            *(id(array) for p in trained for array in p.list_grad()),
            *(id(now[index]) for index in states),
        ]

    before = arrays()
    with preserved(learner.net, learner.trainer):
        train(learner, 3)
    assert arrays() == before


def test_the_generators_of_python_and_numpy_go_on_as_before():
    learner = make_learner()
    np.random.randn()  # leaves half a pair behind
    with preserved(learner.net, learner.trainer):
        before = np.random.randn(), random.random(), np.random.rand(700).tolist()
    assert (np.random.randn(), random.random(), np.random.rand(700).tolist()) == before


def test_a_seed_makes_mxnets_generators_go_on_from_it():
    learner = make_learner()
    with preserved(learner.net, learner.trainer, seed=5):
        inside = nd.random.uniform(0, 1, (3,)).asnumpy().tolist()
    after = nd.random.uniform(0, 1, (3,)).asnumpy().tolist()
    mx.random.seed(5)
    assert inside == after == nd.random.uniform(0, 1, (3,)).asnumpy().tolist()


def test_the_scale_of_a_mixed_precision_loss():
    class Scaler:
        def __init__(self):
            self.loss_scale = 8.0

    learner = make_learner()
    scaler = learner.trainer._amp_loss_scaler = Scaler()
    learner.trainer._scale = 1 / 8
    with preserved(learner.net, learner.trainer):
        scaler.loss_scale = 4.0
        learner.trainer._scale = 1 / 4
    assert learner.trainer._amp_loss_scaler is scaler
    assert (scaler.loss_scale, learner.trainer._scale) == (8, 1 / 8)


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_a_bad_seed_is_refused(seed):
    learner = make_learner()
    refused = pytest.raises((TypeError, ValueError), match="preserved: `seed` must be an integer")
    with refused, preserved(learner.net, learner.trainer, seed=seed):
        raise AssertionError("the block must not run")


def test_a_recording_that_ctrl_c_left_on_is_turned_off():
    learner = make_learner()
    with pytest.raises(KeyboardInterrupt), preserved(learner.net, learner.trainer):
        mx.autograd.set_recording(True)
        raise KeyboardInterrupt
    assert not mx.autograd.is_recording()
    assert not mx.autograd.is_training()


@pytest.mark.parametrize("ctx", [ONE, TWO])
def test_what_a_script_states_of_parameters_is_put_back(ctx):
    straight, disturbed = (make_learner(ctx, learning_rate=0.1) for _ in range(2))
    train(straight, 2)
    train(disturbed, 2)
    weight, gamma = disturbed.net[0].weight, disturbed.net[1].gamma
    weight.lr_mult, weight.wd_mult = 0.5, 2.0
    arrays = [*map(id, weight.list_data() + weight.list_grad())]
    with preserved(disturbed.net, disturbed.trainer):
        weight.lr_mult = weight.wd_mult = 7.0
        weight.grad_req, gamma.grad_req = "null", "add"
        train(disturbed, 4)  # a whole pass over the data
        if ctx == ONE and not MXNET_2:
            gamma.reset_ctx(mx.cpu(3))
    assert (weight.lr_mult, weight.wd_mult) == (0.5, 2.0)
    assert (weight.grad_req, gamma.grad_req) == ("write", "write")
    assert [*map(id, weight.list_data() + weight.list_grad())] == arrays
    weight.lr_mult = weight.wd_mult = 1.0
    assert train(disturbed, 6) == train(straight, 6)
    assert_same_arrays(weights(disturbed), weights(straight))


def test_a_frozen_parameter_stays_frozen_and_its_gradient_is_not_used():
    straight, disturbed = (make_learner(learning_rate=0.1) for _ in range(2))
    for learner in (straight, disturbed):
        train(learner, 1)
        learner.net[0].weight.grad_req = "null"
    with preserved(disturbed.net, disturbed.trainer):
        disturbed.net[0].weight.grad_req = "write"
        train(disturbed, 4)  # a whole pass over the data
    assert disturbed.net[0].weight.grad_req == "null"
    assert train(disturbed, 4) == train(straight, 4)
    assert_same_arrays(weights(disturbed), weights(straight))


def adversaries():
    """Make two nets with a trainer each, of which one trains on what the other makes."""
    mx.random.seed(4)
    nets = [mx.gluon.nn.Dense(3, in_units=3), mx.gluon.nn.Dense(1, in_units=3)]
    for net in nets:
        net.initialize(mx.init.Xavier())
    settings = [("adam", {"learning_rate": 0.05}), ("sgd", {"learning_rate": 0.1, "momentum": 0.9})]
    return nets, [mx.gluon.Trainer(n.collect_params(), *s) for n, s in zip(nets, settings)]


def duel(nets, trainers, times):
    generator, critic = nets
    for _ in range(times):
        for trainer, sign in zip(trainers, (-1, 1)):
            with mx.autograd.record():
                loss = sign * critic(generator(nd.ones((4, 3)))).sum()
            loss.backward()
            trainer.step(4)
    return [array for net in nets for array in values(net)]


def test_several_nets_and_trainers():
    straight, disturbed = adversaries(), adversaries()
    duel(*straight, 2)
    duel(*disturbed, 2)
    with preserved(*disturbed):
        duel(*disturbed, 3)
    assert_same_arrays(duel(*disturbed, 3), duel(*straight, 3))


@pytest.mark.parametrize(
    ("net", "trainer", "message"),
    [
        ([], "own", r"`net` must be an mx\.gluon\.Block or a list of them, got \[\]"),
        ("own", 7, r"`trainer` must be an mx\.gluon\.Trainer or a list of them, got 7"),
        ("own", ["sgd"], "`trainer` must be an mx"),
    ],
)
def test_what_is_no_net_and_no_trainer_is_refused(net, trainer, message):
    learner = make_learner()
    own = {"own": learner.net}.get(net, net) if isinstance(net, str) else net
    with pytest.raises(TypeError, match=message):
        preserved(own, learner.trainer if trainer == "own" else trainer)


@pytest.mark.parametrize("where", ["optimizer", "scheduler"])
def test_an_optimizer_that_cannot_be_copied_is_told_so(where):
    learner = learner_with(ONE, "sgd", {"lr_scheduler": FactorScheduler(2)}, None)
    optimizer = learner.trainer.optimizer
    owner = optimizer if where == "optimizer" else optimizer.lr_scheduler
    owner.lock = threading.Lock()
    message = rf"preserved: `trainer` must be .* copied, got .{type(owner).__name__}: .*lock"
    with pytest.raises(TypeError, match=message), preserved(learner.net, learner.trainer):
        raise AssertionError("the block must not run")


def test_a_seed_within_the_block_before_the_first_call():
    data = nd.array(np.random.RandomState(0).randn(8, 3).astype(np.float32))
    learner = Learner(mx.gluon.nn.Dense(2), [(data, nd.array(np.arange(8) % 2))])
    parts = learner.net, learner.trainer
    with preserved(*parts), preserved(*parts, seed=1):
        loss = learner.iteration(0.1)
    assert learner.iteration(0) == loss  # with the values of the first call, and their variable
