"""After `preserved`, training goes on bit for bit as if the block had never run."""

import pytest
from conftest import ONE, TWO, assert_same_arrays, make_learner, weights

from gluon_lr import FactorScheduler, preserved
from gluon_lr._mxnet import mx

OPTIMIZERS = [
    ("sgd", {"learning_rate": 0.1}),
    ("sgd", {"learning_rate": 0.1, "momentum": 0.9, "wd": 0.01}),
    ("adam", {"learning_rate": 0.01}),
    ("nadam", {"learning_rate": 0.01}),
    ("rmsprop", {"learning_rate": 0.01, "centered": True}),
    ("sgd", {"lr_scheduler": FactorScheduler(2, 0.5, base_lr=0.2), "momentum": 0.9}),
]


def learner_with(ctx, optimizer, params, update_on_kvstore):
    return make_learner(
        ctx,
        trainer=lambda net: mx.gluon.Trainer(
            net.collect_params(), optimizer, params, update_on_kvstore=update_on_kvstore
        ),
    )


def train(learner, iterations):
    return [learner.iteration() for _ in range(iterations)]


@pytest.mark.parametrize(
    ("ctx", "update_on_kvstore"),
    [(ONE, None), (ONE, False), (TWO, None), (TWO, True), (TWO, False)],
)
@pytest.mark.parametrize("iterations_before", [0, 3])
@pytest.mark.parametrize(("optimizer", "params"), OPTIMIZERS)
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


class Scale(mx.gluon.HybridBlock):
    """A product with its weight, which MXNet computes in float16 on the CPU too."""

    def __init__(self):
        super().__init__()
        self.weight = self.params.get("weight", shape=(5,), dtype="float16", init=mx.init.One())

    def hybrid_forward(self, F, x, weight):  # noqa: N803
        return F.broadcast_mul(x, weight)


def test_float16_weights_with_their_float32_copies():
    def make():
        net = Scale()
        net.initialize()
        params = {"learning_rate": 0.1, "momentum": 0.9, "multi_precision": True}
        return net, mx.gluon.Trainer(net.collect_params(), "sgd", params)

    def step(net, trainer):
        with mx.autograd.record():
            loss = net(mx.nd.ones((2, 5), dtype="float16")).sum()
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


def test_a_shape_that_is_not_known_yet_is_an_error():
    net = mx.gluon.nn.Dense(3)
    net.initialize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd")
    with pytest.raises(mx.gluon.parameter.DeferredInitializationError), preserved(net, trainer):
        raise AssertionError("the block must not run")
