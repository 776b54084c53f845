"""The gradient noise scale, against the gradients of single samples of a linear regression."""

import math

import numpy as np
import pytest
from conftest import ONE, TWO
from steps import Raise, make_batches, make_learner
from test_amp import use_amp

from gluon_lr import (
    Callback,
    CancelBatchException,
    GradientAccumulation,
    GradientNoiseScale,
    Learner,
    LRFinder,
)
from gluon_lr._mxnet import MXNET_2, mx, nd

SAMPLES, COLUMNS = 400, 3
THREE = [mx.cpu(n) for n in range(3)]


def regression():
    """Return data, labels, and weights at which they are looked at."""
    draw = np.random.RandomState(11)
    data = draw.randn(SAMPLES, COLUMNS).astype(np.float32)
    label = (data @ [1.0, -2.0, 0.5] + draw.standard_t(4, SAMPLES)).astype(np.float32)
    return data, label, np.array([0.6, -1.2, 0.1], np.float32)


def gradients_of_samples():
    """Return the gradient of each sample's loss, (x w - y)^2 / 2."""
    data, label, weights = (one.astype(np.float64) for one in regression())
    return (data @ weights - label)[:, np.newaxis] * data


def exact():
    """Return tr(Sigma) and |G|^2 of samples that are drawn one by one."""
    each = gradients_of_samples()
    mean = each.mean(axis=0)
    return np.square(each - mean).sum(axis=1).mean(), float(mean @ mean)


def drawn(number, sizes):
    """Return indices of batches that are drawn with replacement."""
    draw = np.random.RandomState(5)
    return [draw.randint(0, SAMPLES, sizes[n % len(sizes)]) for n in range(number)]


def estimates_by_hand(indices, contexts):
    """Return the estimates of each update: as the paper has them where parts are equal."""
    each = gradients_of_samples()
    found = []
    for batch in indices:
        parts = [each[part] for part in np.array_split(batch, contexts)]
        whole = each[batch].mean(axis=0)
        k, of_parts = len(parts), sum(len(part) * sq(part.mean(axis=0)) for part in parts)
        noise = (of_parts - len(batch) * sq(whole)) / (k - 1)
        if len(batch) % contexts == 0:
            big, small = len(batch), len(batch) / contexts
            mean = np.mean([sq(part.mean(axis=0)) for part in parts])
            assert noise == pytest.approx((mean - sq(whole)) / (1 / small - 1 / big))
        found.append((noise, sq(whole) - noise / len(batch)))
    return np.array(found)


def sq(vector):
    return float(vector @ vector)


def learner_on(batches, ctx=TWO, **more):
    """Make a learner of the regression, whose rate of 0 leaves the weights where they are."""
    weights = regression()[2]
    net = mx.gluon.nn.Dense(1, use_bias=False, in_units=COLUMNS)
    net.initialize(mx.init.Constant(nd.array(weights[np.newaxis])), ctx=ctx)
    more.setdefault("loss", mx.gluon.loss.L2Loss())
    params, here = {"learning_rate": 0.0}, {"update_on_kvstore": False}
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", params, **here)
    learner = Learner(net, batches, ctx=ctx, trainer=trainer, **more)
    learner.progress = False
    return learner


def batches_of(indices):
    data, label, _ = regression()
    return [(nd.array(data[one]), nd.array(label[one, np.newaxis])) for one in indices]


def measured(indices, ctx=TWO, cbs=(), **more):
    noise = GradientNoiseScale()
    learner_on(batches_of(indices), ctx, **more).fit(1, cbs=[*cbs, noise])
    return noise


def assert_near(noise, updates):
    """Compare with the estimates of each update by hand."""
    data = noise.as_data()
    assert data["updates"] == len(updates)
    sums = [data["noise"], data["gradient"]]
    np.testing.assert_allclose(sums, updates.sum(axis=0), rtol=1e-4)
    assert noise.value == pytest.approx(updates[:, 0].sum() / updates[:, 1].sum(), rel=1e-3)


@pytest.mark.parametrize(
    ("ctx", "sizes"), [(TWO, [8]), (TWO, [9, 2, 7]), (THREE, [8, 3]), (THREE, [12])]
)
def test_it_is_that_of_the_gradients_of_single_samples(ctx, sizes):
    indices = drawn(12, sizes)
    assert_near(measured(indices, ctx), estimates_by_hand(indices, len(ctx)))


def test_it_comes_to_the_exact_one():
    indices = drawn(120, [48, 81])
    noise = measured(indices)
    updates = estimates_by_hand(indices, 2)
    error = updates.std(axis=0) / math.sqrt(len(updates))
    data = noise.as_data()
    means = np.array([data["noise"], data["gradient"]]) / data["updates"]
    trace, square = exact()
    assert (np.abs(means - [trace, square]) < 3 * error).all()
    assert (error < 0.15 * np.array([trace, square])).all()
    assert noise.value == pytest.approx(trace / square, rel=0.3)


def test_what_is_added_up_counts_as_one_update():
    indices = drawn(6, [8])
    noise = measured(indices, cbs=[GradientAccumulation(batches=2)])
    halves = [[one[:4] for one in indices], [one[4:] for one in indices]]
    joined = [
        np.concatenate([half[n + m] for half in halves for m in (0, 1)]) for n in range(0, 6, 2)
    ]
    assert_near(noise, estimates_by_hand(joined, 2))


def test_an_update_at_the_end_of_an_epoch_of_fewer_batches():
    noise = measured(drawn(5, [8]), cbs=[GradientAccumulation(batches=2)])
    assert noise.as_data()["updates"] == 3


def test_one_that_is_called_off_in_the_middle_is_no_update():
    learner, noise = learner_on(batches_of(drawn(4, [8]))), GradientNoiseScale()
    learner.fit(1, cbs=[Raise("before_step", CancelBatchException()), noise])
    assert noise.as_data()["updates"] == 3


def test_each_fit_begins_anew():
    learner, noise = learner_on(batches_of(drawn(4, [8]))), GradientNoiseScale()
    learner.fit(2, cbs=noise)
    value = noise.value
    learner.fit(2, cbs=noise)
    assert noise.value == value
    assert noise.as_data()["updates"] == 8


def test_a_search_measures_and_puts_it_back():
    class Read(Callback):
        order, values = 100, ()

        def after_step(self, learner):
            self.values += (noise.value,)

    indices, noise, read = drawn(4, [8]), GradientNoiseScale(), Read()
    learner = learner_on(batches_of(indices), cbs=[noise, read])
    LRFinder(learner).find(lr_start=1e-9, lr_end=1e-8, num_iter=4, progress=False)
    noises, gradients = estimates_by_hand(indices, 2).T
    ratios = noises.cumsum() / gradients.cumsum()
    assert read.values == pytest.approx(ratios, rel=1e-3)
    assert noise.value is None


def test_a_loss_that_is_a_mean_and_one_with_weights():
    indices, expected = drawn(8, [8]), estimates_by_hand(drawn(8, [8]), 2)
    loss = mx.gluon.loss.L2Loss()

    def mean(net, batch):
        return loss(net(batch[0]), batch[1]).mean()

    def weighted(net, batch):
        losses = loss(net(batch[0]), batch[1])
        return losses, nd.full(losses.shape, 0.5, ctx=losses.context)

    for compute_loss in (mean, weighted):
        assert_near(measured(indices, compute_loss=compute_loss, loss=None), expected)


def test_unequal_parts_of_a_loss_that_is_a_mean():
    indices = drawn(8, [9])
    noise = measured(
        indices,
        loss=None,
        compute_loss=lambda net, batch: ((net(batch[0]) - batch[1]) ** 2).mean() / 2,
    )
    assert_near(noise, estimates_by_hand(indices, 2))


def test_a_part_of_no_weight_is_none():
    def weighted(net, batch):
        losses = ((net(batch[0]) - batch[1]) ** 2).reshape((-1,))
        weight = 0 if losses.context == TWO[1] else 1
        return losses, nd.full(losses.shape, weight, ctx=losses.context)

    noise = measured(drawn(3, [8]), loss=None, compute_loss=weighted)
    assert (noise.as_data()["updates"], noise.value) == (0, None)


def test_a_batch_of_one_sample_is_left_out():
    assert measured(drawn(6, [8, 1])).as_data()["updates"] == 3


def value_of_net(sparse=False, is_frozen=True):
    """Return the noise scale of a net whose last layer has no part in the losses."""
    mx.random.seed(2)
    net = mx.gluon.nn.HybridSequential()
    embedding = {"sparse_grad": True} if sparse else {}
    net.add(mx.gluon.nn.Embedding(9, 4, **embedding), mx.gluon.nn.Dense(2))
    net.add(mx.gluon.nn.Dense(2, in_units=2))
    net.initialize(mx.init.Uniform(1), ctx=TWO)
    if is_frozen:
        net[2].weight.grad_req = net[2].bias.grad_req = "null"
    loss, noise = mx.gluon.loss.L2Loss(), GradientNoiseScale()

    def compute_loss(net, batch):
        return loss(net[1](net[0](batch)), nd.ones((4, 2), ctx=batch.context))

    tokens = np.random.RandomState(1).randint(0, 9, (8, 8)).astype(np.float32)
    learner = Learner(net, [nd.array(tokens)], compute_loss=compute_loss, ctx=TWO)
    learner.progress = False
    learner.fit(3, 0.01, cbs=noise)
    return noise.value


def test_frozen_and_stale_parameters_have_no_part_in_it():
    expected = value_of_net()
    with pytest.warns(UserWarning, match="the losses do not depend on"):
        assert value_of_net(is_frozen=False) == pytest.approx(expected, rel=1e-4)


@pytest.mark.skipif(MXNET_2, reason="MXNet 2.0 has no gradients by rows")
def test_gradients_by_rows():
    assert value_of_net(sparse=True) == pytest.approx(value_of_net(), rel=1e-4)


def test_under_amp():
    """The scale divides out, and what overflows is left out."""
    indices = drawn(6, [8])
    noise = GradientNoiseScale()
    learner = use_amp(learner_on(batches_of(indices)), overflows=[2])
    learner.fit(1, cbs=noise)
    assert_near(noise, estimates_by_hand(indices, 2))


def test_gradients_that_are_not_finite_are_left_out():
    indices = drawn(4, [8])
    batches = batches_of(indices)
    batches[1] = batches[1][0], batches[1][1] * math.inf
    noise, learner = GradientNoiseScale(), use_amp(learner_on(batches), overflows=[2])
    with pytest.warns(UserWarning, match="the loss of update 2 is"):
        learner.fit(1, cbs=noise)
    assert_near(noise, estimates_by_hand(indices[:1] + indices[2:], 2))


def test_noise_that_hides_the_gradient_has_no_scale():
    noise = GradientNoiseScale()
    x, y = nd.ones((2, COLUMNS)), nd.array([[-2.0], [1.0]])
    learner_on([(x, y)]).fit(1, cbs=noise)
    assert noise.as_data()["gradient"] < 0
    assert noise.value is None
    assert GradientNoiseScale().value is None


def test_one_context_is_refused():
    learner = make_learner(ONE)
    said = r"GradientNoiseScale: `ctx` must be a list of two .* got cpu\(0\)\. .*mx.cpu\(1\)"
    with pytest.raises(ValueError, match=said):
        learner.fit(1, cbs=GradientNoiseScale())


@pytest.mark.parametrize(("batches", "left_out"), [(4, 0), (3, 1)])
def test_a_fit_that_was_stopped_goes_on_to_the_same_value(batches, left_out, tmp_path):
    """Left out is an update of a batch that had come before."""

    def make(**more):
        return make_learner(TWO, make_batches(5), **more), GradientNoiseScale()

    straight, expected = make()
    straight.fit(2, 0.1, cbs=[GradientAccumulation(2), expected])
    stopped, noise = make()
    cbs = [GradientAccumulation(2), noise, Raise("after_batch", KeyboardInterrupt, batches)]
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(2, 0.1, cbs=cbs)
    path = str(tmp_path / "run.checkpoint")
    stopped.save(path)
    resumed, noise = make()
    resumed.load(path)
    resumed.resume(cbs=[GradientAccumulation(2), noise])
    assert noise.as_data()["updates"] == expected.as_data()["updates"] - left_out
    assert (noise.value == expected.value) == (not left_out)
