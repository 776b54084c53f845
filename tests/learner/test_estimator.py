"""The handlers in an Estimator, as its users write it."""

import logging

import numpy as np
import pytest
from conftest import ONE, TWO, make_dataset, stated

from gluon_lr import (
    CosineScheduler,
    EstimatorLearner,
    LRFinder,
    LRScheduleHandler,
    OneCycleHandler,
    ParamScheduler,
    ParamSchedulerHandler,
    SchedLin,
    one_cycle,
)
from gluon_lr._mxnet import MXNET_2, contexts_of, metric, mx, nd
from gluon_lr._mxnet import estimator as mx_estimator

nn = mx.gluon.nn
Estimator = mx_estimator.Estimator
BatchEnd = mx_estimator.BatchEnd


class Seen(BatchEnd):
    """Notes the rate and momentum of each update."""

    def __init__(self):
        self.used = []

    def batch_end(self, estimator, *args, **kwargs):
        optimizer = estimator.trainer.optimizer
        momentum = vars(optimizer).get("momentum", vars(optimizer).get("beta1"))
        self.used.append((estimator.trainer.learning_rate, momentum))


def make_loader():
    return mx.gluon.data.DataLoader(make_dataset(), 16)


def make_estimator(ctx=ONE, optimizer="sgd", processor=None, loss=None, flatten=True, **params):
    mx.random.seed(3)
    net = nn.HybridSequential()
    net.add(nn.Dense(16, activation="relu", in_units=5, flatten=flatten))
    net.add(nn.Dense(3, in_units=16, flatten=flatten))
    net.initialize(mx.init.Xavier(), ctx=ctx)
    trainer = mx.gluon.Trainer(net.collect_params(), optimizer, stated(optimizer, params))
    estimator = Estimator(
        net,
        loss or mx.gluon.loss.SoftmaxCrossEntropyLoss(),
        metric.Accuracy(axis=-1),
        None,
        None,
        trainer,
        ctx,  # which MXNet 2.0 has another name for
        batch_processor=processor,
    )
    estimator.logger.setLevel(logging.ERROR)
    return estimator


def weights(estimator):
    return [p.list_data()[0].asnumpy() for p in estimator.net.collect_params().values()]


@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
def test_a_schedule_counts_the_updates_from_one(ctx):
    estimator, seen = make_estimator(ctx), Seen()
    schedule = CosineScheduler(12, base_lr=0.3)
    handler = LRScheduleHandler(schedule)
    estimator.fit(make_loader(), epochs=3, event_handlers=[handler, seen])
    assert [lr for lr, _ in seen.used] == [schedule(n) for n in range(1, 13)]
    estimator.fit(make_loader(), batches=2, event_handlers=[handler, seen])
    assert [lr for lr, _ in seen.used[12:]] == [schedule(1), schedule(2)]


@pytest.mark.parametrize(
    ("optimizer", "params", "moves"),
    [("sgd", {"momentum": 0.9}, True), ("adam", {}, True), ("sgd", {}, False)],
)
def test_one_cycle(optimizer, params, moves):
    estimator, seen = make_estimator(optimizer=optimizer, **params), Seen()
    before = estimator.trainer.learning_rate
    handler = OneCycleHandler(0.1, length=12)
    estimator.fit(make_loader(), epochs=3, event_handlers=[handler, seen])
    positions = np.arange(12) / 12
    curves = one_cycle(0.1)
    np.testing.assert_allclose([lr for lr, _ in seen.used], curves["lr"](positions), rtol=1e-12)
    moms = [momentum for _, momentum in seen.used]
    if moves:
        np.testing.assert_allclose(moms, curves["mom"](positions), rtol=1e-12)
    else:
        assert moms == [0.0] * 12
    assert estimator.trainer.learning_rate == before


def test_any_hyper_parameter():
    estimator, seen = make_estimator(momentum=0.9), Seen()
    scheduler = ParamScheduler({"mom": SchedLin(0, 1)}, length=4)
    handler = ParamSchedulerHandler(scheduler)
    estimator.fit(make_loader(), epochs=1, event_handlers=[handler, seen])
    assert [momentum for _, momentum in seen.used] == [0, 0.25, 0.5, 0.75]
    assert estimator.trainer.optimizer.momentum == 0.9


class EachToken(mx.gluon.loss.Loss):
    """A loss a token, of shape (B, T)."""

    def __init__(self):
        super().__init__(None, 0)

    def forward(self, output, label):
        operators = mx.npx if MXNET_2 else mx.nd
        return -operators.pick(operators.log_softmax(output), label)


class TokensInOneRow(mx_estimator.BatchProcessor):
    """Flattens outputs and labels: a loss a token, of shape (T * B,)."""

    def fit_batch(self, estimator, train_batch, batch_axis=0):
        data, label = mx_estimator.BatchProcessor._get_data_and_label(
            self, train_batch, contexts_of(estimator), batch_axis
        )
        with mx.autograd.record():
            outputs = [estimator.net(part) for part in data]
            rows = [(one.reshape(-1, 3), part.reshape(-1)) for one, part in zip(outputs, label)]
            losses = [estimator.loss(*row) for row in rows]
        for loss in losses:
            loss.backward()
        return data, label, outputs, losses


class TwiceAsLarge(mx_estimator.BatchProcessor):
    """Doubles the data."""

    def fit_batch(self, estimator, train_batch, batch_axis=0):
        data, label = train_batch
        return super().fit_batch(estimator, (data * 2, label), batch_axis)


def make_sequences(batch_axis):
    """Return a loader of batches of 6 samples of 4 times, and a class for each time."""
    random = np.random.RandomState(7)
    data = random.randn(30, 4, 5).astype("float32")
    label = random.randint(0, 3, (30, 4)).astype("float32")

    def stacked(samples):
        return [nd.array(np.stack(parts, batch_axis)) for parts in zip(*samples)]

    dataset = mx.gluon.data.SimpleDataset(list(zip(data, label)))
    return mx.gluon.data.DataLoader(dataset, 6, batchify_fn=stacked)


LOSSES = {
    "a loss a sample": (0, mx.gluon.loss.SoftmaxCrossEntropyLoss(), None),
    "samples along axis 1": (1, mx.gluon.loss.SoftmaxCrossEntropyLoss(batch_axis=1), None),
    "a loss a token": (0, mx.gluon.loss.SoftmaxCrossEntropyLoss(), TokensInOneRow()),
    "a loss of two axes": (0, EachToken(), None),
    "a batch processor": (0, mx.gluon.loss.SoftmaxCrossEntropyLoss(), TwiceAsLarge()),
}


@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize("kind", LOSSES)
def test_the_learner_trains_as_the_estimator_does(kind, ctx):
    batch_axis, loss, processor = LOSSES[kind]
    by_learner, by_fit = (
        make_estimator(ctx, processor=processor, loss=loss, flatten=False, momentum=0.9)
        for _ in range(2)
    )
    by_fit.fit(make_sequences(batch_axis), batches=7, batch_axis=batch_axis)
    learner = EstimatorLearner(by_learner, make_sequences(batch_axis), batch_axis)
    before = weights(by_learner)
    losses = [learner.iteration() for _ in range(7)]
    for one, other, start in zip(weights(by_learner), weights(by_fit), before):
        np.testing.assert_array_equal(one, other)
        assert (one != start).any()
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
def test_the_finder_takes_an_estimator(ctx):
    estimator, untouched = make_estimator(ctx), make_estimator(ctx)
    before = weights(estimator)
    learner = EstimatorLearner(estimator, make_loader())
    result = LRFinder(learner).find(progress=False)
    assert len(result) > 50
    for left, right in zip(weights(estimator), before):
        np.testing.assert_array_equal(left, right)
    for one in (estimator, untouched):
        one.fit(make_loader(), epochs=1)
    for left, right in zip(weights(estimator), weights(untouched)):
        np.testing.assert_array_equal(left, right)


def test_the_finder_trains_by_the_batch_processor_of_the_estimator():
    class Halving(mx_estimator.BatchProcessor):
        batches = 0

        def fit_batch(self, estimator, train_batch, batch_axis=0):
            Halving.batches += 1
            return super().fit_batch(estimator, [part[:8] for part in train_batch], batch_axis)

    learner = EstimatorLearner(make_estimator(processor=Halving()), make_loader())
    losses = [learner.iteration(0.1) for _ in range(8)]
    assert Halving.batches == 8
    assert losses[4] < losses[0]


def test_an_estimator_of_another_context_than_its_net_is_refused():
    net, loss = make_estimator().net, mx.gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd")
    elsewhere = Estimator(net, loss, metric.Accuracy(), None, None, trainer, mx.cpu(1))
    with pytest.raises(ValueError, match="`ctx` must be the contexts on which the net"):
        EstimatorLearner(elsewhere, make_loader())


def test_bad_arguments_are_refused():
    with pytest.raises(TypeError, match="LRScheduleHandler: `schedule` must be a schedule"):
        LRScheduleHandler(0.1)
    with pytest.raises(ValueError, match="`length` must be an integer of at least 1"):
        OneCycleHandler(0.1, length=0)
    scheduler = mx.lr_scheduler.FactorScheduler(5, base_lr=0.1)
    for handler in (LRScheduleHandler(lambda n: 0.1), OneCycleHandler(0.1, length=5)):
        estimator = make_estimator(lr_scheduler=scheduler)
        with pytest.raises(ValueError, match="`trainer` must be a trainer without an lr_scheduler"):
            estimator.fit(make_loader(), epochs=1, event_handlers=[handler])
