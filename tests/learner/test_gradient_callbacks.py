"""Clipped gradients, and updates of several batches, against bare Gluon loops."""

import math

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, stated, weights
from fits import StopAfter, assert_same_state, state
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import (
    BATCH_SIZE,
    Log,
    Raise,
    joined,
    make_batches,
    make_learner,
    make_net,
    make_trainer,
    nn,
)
from test_amp import use_amp

from gluon_lr import (
    Callback,
    CheckpointCallback,
    FactorScheduler,
    GradientAccumulation,
    GradientClip,
    Learner,
    LRFinder,
)
from gluon_lr._mxnet import MXNET_2, mx, nd

loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()


def trained_by_hand(batches, max_norm=None, group=1, lrs=None, net=None, loss=loss_of):
    """Train one epoch in a bare loop on one context, `group` batches an update."""
    net = net or make_net()
    trainer = make_trainer(net)
    for n, (data, label) in enumerate(joined(batches, group)):
        with mx.autograd.record():
            mean = loss(net(data), label).mean()
        mean.backward()
        if max_norm is not None:
            gradients = [one.grad() for one in net.collect_params().values()]
            mx.gluon.utils.clip_global_norm(gradients, max_norm)
        if lrs is not None:
            trainer.set_learning_rate(lrs[n])
        trainer.step(1)
    return [one.data().asnumpy() for one in net.collect_params().values()]


def parameters(learner):
    return list(learner.net.collect_params().values())


def grad_reqs(learner):
    return [parameter.grad_req for parameter in parameters(learner)]


def assert_close(learner, expected):
    """Compare the weights, on each context, with those of one context."""
    for parameter, one in zip(parameters(learner), expected):
        for array in parameter.list_data():
            np.testing.assert_allclose(array.asnumpy(), one, rtol=1e-4, atol=1e-6)


# -- clipped -----------------------------------------------------------------------------------

PLACES = [(ONE, None), (ONE, False), (TWO, True), (TWO, False)]


@pytest.mark.parametrize(("ctx", "on_store"), PLACES)
def test_it_clips_as_a_bare_loop_does(ctx, on_store):
    def trainer(net):
        return make_trainer(net, update_on_kvstore=on_store)

    batches = make_batches(6, last=3)
    learner = make_learner(ctx, batches, trainer=trainer)
    learner.fit(1, cbs=GradientClip(0.2))
    assert_close(learner, trained_by_hand(batches, 0.2))
    with pytest.raises(AssertionError):
        assert_close(learner, trained_by_hand(batches))


@pytest.mark.parametrize("ctx", [ONE, TWO])
def test_a_scaled_loss_is_clipped_by_its_own_gradient(ctx):
    def trainer(net):
        return make_trainer(net, update_on_kvstore=False)

    batches = make_batches(6)
    learner = use_amp(make_learner(ctx, batches, trainer=trainer))
    learner.fit(1, cbs=GradientClip(0.2))
    assert_close(learner, trained_by_hand(batches, 0.2))


def test_a_mean_and_losses_of_tokens_are_clipped_alike():
    draw = np.random.RandomState(1)
    arrays = draw.randn(4, 3, 5), draw.randint(3, size=(4, 3))
    batches = [tuple(nd.array(array.astype("float32")) for array in arrays)] * 4

    def make():
        mx.random.seed(3)
        net = nn.Dense(3, flatten=False, in_units=5)
        net.initialize(mx.init.Xavier())
        return net

    def of_tokens(output, label):
        operators = mx.npx if MXNET_2 else mx.nd
        return -operators.pick(operators.log_softmax(output), label)

    expected = trained_by_hand(batches, 0.1, net=make(), loss=of_tokens)
    for loss in (of_tokens, loss_of, lambda output, label: of_tokens(output, label).mean()):
        net = make()
        learner = Learner(net, batches, trainer=make_trainer(net), loss=loss)
        with learner.no_bar():
            learner.fit(1, cbs=GradientClip(0.1))
        assert_close(learner, expected)


def rows(sparse):
    mx.random.seed(3)
    net = nn.HybridSequential()
    net.add(nn.Embedding(20, 4, sparse_grad=sparse), nn.Dense(4, in_units=12))
    net.initialize(mx.init.Xavier())
    return net


def words():
    draw = np.random.RandomState(1)
    return [
        (nd.array(draw.randint(20, size=(6, 3))), nd.array(draw.randint(4, size=6)))
        for _ in range(4)
    ]


@pytest.mark.skipif(MXNET_2, reason="MXNet 2.0 has no gradients by rows")
@pytest.mark.parametrize("ctx", [ONE, TWO])
def test_gradients_by_rows_are_clipped_too(ctx):
    net = rows(sparse=True)
    net.collect_params().reset_ctx(ctx)
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    learner = Learner(net, words(), trainer=trainer)
    with learner.no_bar():
        learner.fit(1, cbs=GradientClip(0.1))
    dense = rows(sparse=False)
    trainer = mx.gluon.Trainer(dense.collect_params(), "sgd", {"learning_rate": 0.1})
    for data, label in words():
        with mx.autograd.record():
            mean = loss_of(dense(data), label).mean()
        mean.backward()
        gradients = [one.grad() for one in dense.collect_params().values()]
        mx.gluon.utils.clip_global_norm(gradients, 0.1)
        trainer.step(1)
    assert_close(learner, [one.data().asnumpy() for one in dense.collect_params().values()])


@pytest.mark.parametrize("ctx", [ONE, TWO])
def test_a_short_gradient_is_left_alone(ctx):
    clipped = make_learner(ctx)
    clipped.fit_one_cycle(2, 0.1, cbs=GradientClip(1e4))
    found, straight = state(clipped), make_learner(ctx)
    straight.fit_one_cycle(2, 0.1)
    assert_same_state(found, state(straight))


class Norms(Callback):
    def __init__(self):
        self.norms = []

    def before_step(self, learner):
        self.norms.append(learner.gradient_norm())


@settings(max_examples=10, deadline=None)
@given(st.floats(1e-3, 10))
def test_the_norm_is_no_longer_than_asked(max_norm):
    before, after = Norms(), Norms()
    make_learner().fit(1, cbs=[before, GradientClip(max_norm), after])
    expected = np.minimum(before.norms, max_norm)
    np.testing.assert_allclose(after.norms, expected, rtol=1e-6)


# -- added up ----------------------------------------------------------------------------------

GROUPS = [(8, 2), (7, 2), (7, 3), (5, 8), (4, 1)]


@pytest.mark.parametrize("hybrid", [True, False])
@pytest.mark.parametrize("ctx", [ONE, TWO])
@pytest.mark.parametrize(("count", "group"), GROUPS)
def test_several_batches_are_as_one_large_one(count, group, ctx, hybrid):
    batches = make_batches(count, last=3)
    learner = make_learner(ctx, batches, hybrid)
    learner.fit_one_cycle(1, 0.3, moms=(0.9, 0.9, 0.9), cbs=GradientAccumulation(batches=group))
    updates = math.ceil(count / group)
    assert len(learner.recorder) == updates
    assert_close(learner, trained_by_hand(batches, group=group, lrs=learner.recorder.lrs))
    assert set(grad_reqs(learner)) == {"write"}


@pytest.mark.parametrize("group", [1, 2, 3, 100])
def test_curves_and_the_recorder_count_updates(group):
    batches = make_batches(7)
    several = make_learner(batches=batches, momentum_correction=True)
    several.fit_one_cycle(3, 0.3, cbs=GradientAccumulation(group))
    large = make_learner(batches=joined(batches, group), momentum_correction=True)
    large.fit_one_cycle(3, 0.3)
    for key, values in large.recorder.group_hps.items():
        np.testing.assert_array_equal(several.recorder.group_hps[key], values)
    np.testing.assert_allclose(several.recorder.losses, large.recorder.losses, rtol=1e-4)
    assert_close(several, weights(large))


def test_an_lr_scheduler_counts_updates():
    def trainer(net):
        schedule = FactorScheduler(1, 0.5, base_lr=0.4)
        return mx.gluon.Trainer(
            net.collect_params(), "sgd", stated("sgd", {"lr_scheduler": schedule})
        )

    learner = make_learner(batches=make_batches(5), trainer=trainer)
    learner.fit(2, cbs=GradientAccumulation(2))
    large = make_learner(batches=joined(make_batches(5), 2), trainer=trainer)
    large.fit(2)
    np.testing.assert_array_equal(learner.recorder.lrs, large.recorder.lrs)
    assert learner.recorder.lrs[-1] < 0.1
    assert_close(learner, weights(large))


@pytest.mark.parametrize(
    ("n_acc", "group"), [(1, 1), (BATCH_SIZE, 1), (BATCH_SIZE + 1, 2), (18, 3), (1000, 4)]
)
@pytest.mark.parametrize("ctx", [ONE, TWO])
def test_samples_may_be_counted_instead(n_acc, group, ctx):
    samples = make_learner(ctx)
    samples.fit(2, cbs=GradientAccumulation(n_acc=n_acc))
    found, batches = state(samples), make_learner(ctx)
    batches.fit(2, cbs=GradientAccumulation(batches=group))
    assert_same_state(found, state(batches))


@pytest.mark.parametrize("ctx", [ONE, TWO])
def test_with_a_clip_in_either_order(ctx):
    cbs = [GradientAccumulation(3), GradientClip(0.2)]
    batches = make_batches(7)
    for order in (cbs, cbs[::-1]):
        learner = make_learner(ctx, batches)
        learner.fit(1, cbs=order)
        assert_close(learner, trained_by_hand(batches, 0.2, group=3))


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=7),
    st.integers(1, 4),
    st.floats(0.05, 2),
    st.sampled_from([ONE, TWO]),
)
def test_any_batches_are_added_up_and_clipped_as_by_hand(sizes, group, max_norm, ctx):
    batches = [make_batches(1, size)[0] for size in sizes]
    learner = make_learner(ctx, batches)
    learner.fit(1, cbs=[GradientClip(max_norm), GradientAccumulation(group)])
    assert_close(learner, trained_by_hand(batches, max_norm, group))


@pytest.mark.parametrize("ctx", [ONE, TWO])
def test_a_scaled_loss_is_added_up_as_another(ctx):
    def make():
        return make_learner(ctx, trainer=lambda net: make_trainer(net, update_on_kvstore=False))

    scaled, plain = use_amp(make()), make()
    for learner in (scaled, plain):
        learner.fit(2, cbs=[GradientAccumulation(3), GradientClip(0.2)])
    assert_close(scaled, [one.list_data()[0].asnumpy() for one in parameters(plain)])
    skipping = use_amp(make(), overflows=(2,))
    skipping.fit_one_cycle(2, 0.1, cbs=GradientAccumulation(2))
    rates = skipping.recorder.lrs
    assert len(rates) == 4
    assert rates[1] == rates[2]


def test_the_frozen_stays_frozen():
    learner, large = make_learner(), make_learner(batches=joined(make_batches(), 2))
    own = make_learner(cbs=GradientAccumulation(2))
    for one in (learner, large):
        one.freeze()
    own.iteration(0.0)
    own.iteration(0.0)
    own.freeze()
    learner.fit(2, 0.1, cbs=GradientAccumulation(2))
    large.fit(2, 0.1)
    own.fit(2, 0.1)
    for one in (learner, own):
        assert_close(one, weights(large))
        assert grad_reqs(one) == ["null", "null", "write", "write"]


def test_a_learners_own_counts_its_iterations():
    learner = make_learner(cbs=GradientAccumulation(2))
    assert [bool(learner.iteration()) and len(learner.recorder) for _ in range(5)] == [
        0,
        1,
        1,
        2,
        2,
    ]


# -- interrupted -------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 2, 3, 5, 6, 7, 8])
@pytest.mark.parametrize("ctx", [ONE, TWO])
def test_interrupted_in_a_group_it_goes_on_here_and_elsewhere(at, ctx):
    straight = make_learner(ctx)
    straight.fit_one_cycle(3, 0.1, cbs=GradientAccumulation(3))
    expected = state(straight)
    here = make_learner(ctx)
    with pytest.raises(KeyboardInterrupt):
        cbs = [GradientAccumulation(3), CheckpointCallback("run", 1), StopAfter(at)]
        here.fit_one_cycle(3, 0.1, cbs=cbs)
    here.resume(cbs=GradientAccumulation(3))
    assert_same_state(state(here), expected)
    assert grad_reqs(here) == grad_reqs(straight)
    elsewhere = make_learner(ctx)
    elsewhere.load("run")
    elsewhere.resume(cbs=GradientAccumulation(3))
    assert_same_state(state(elsewhere), expected)
    assert grad_reqs(elsewhere) == grad_reqs(straight)


@pytest.mark.parametrize(
    "event", ["before_batch", "before_loss", "after_loss", "after_step", "after_batch"]
)
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("first", [True, False])
def test_an_error_in_a_group_is_resumed(event, at, first):
    straight = make_learner()
    straight.fit_one_cycle(3, 0.1, cbs=GradientAccumulation(2))
    expected = state(straight)
    broken = make_learner()
    cbs = [Raise(event, OSError("disk"), at), GradientAccumulation(2)]
    with pytest.raises(OSError, match="disk"):
        broken.fit_one_cycle(3, 0.1, cbs=cbs if first else cbs[::-1])
    broken.resume(cbs=GradientAccumulation(2))
    assert_same_state(state(broken), expected)


def test_an_error_before_the_step_adds_no_batch_twice():
    straight, broken = make_learner(), make_learner()
    straight.fit(2, cbs=GradientAccumulation(2))
    raises = Raise("before_step", OSError("disk"))
    raises.order = -20  # so that it does at the first batch of the group, too
    with pytest.raises(OSError, match="disk"):
        broken.fit(2, cbs=[raises, GradientAccumulation(2)])
    broken.resume(cbs=GradientAccumulation(2))
    assert_same_arrays(weights(broken), weights(straight))


class Search(Callback):
    def after_batch(self, learner):
        LRFinder(learner).find(num_iter=2, progress=False)


@pytest.mark.parametrize("ctx", [ONE, TWO])
def test_a_search_in_a_group_leaves_no_trace(ctx):
    searched = make_learner(ctx)
    searched.fit(2, cbs=[GradientAccumulation(3), Search()])
    found, straight = state(searched), make_learner(ctx)
    straight.fit(2, cbs=GradientAccumulation(3))
    assert_same_state(found, state(straight))


@pytest.mark.parametrize("ctx", [ONE, TWO])
def test_a_search_takes_as_many_batches_for_each_rate(ctx):
    batches = make_batches(8)
    log = Log()
    learner = make_learner(ctx, batches, cbs=[GradientAccumulation(2), log])
    untouched = make_learner(ctx, batches, cbs=GradientAccumulation(2))
    result = LRFinder(learner).find(num_iter=4, lr_start=0.01, lr_end=1, progress=False)
    assert log.events.count("after_loss") == 8
    large = make_learner(ctx, joined(batches, 2))
    expected = LRFinder(large).find(num_iter=4, lr_start=0.01, lr_end=1, progress=False)
    np.testing.assert_allclose(result.losses, expected.losses, rtol=1e-5)
    assert grad_reqs(learner) == grad_reqs(untouched)
    for one in (learner, untouched):
        one.fit(1)
    assert_same_arrays(weights(learner), weights(untouched))
    assert grad_reqs(learner) == grad_reqs(large)
    middle = [learner.iteration() for _ in range(3)]
    assert middle == [untouched.iteration() for _ in range(3)]
    LRFinder(learner).find(num_iter=2, progress=False)
    assert [learner.iteration() for _ in range(3)] == [untouched.iteration() for _ in range(3)]
    assert_same_arrays(weights(learner), weights(untouched))


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("max_norm", [0, -1, math.nan, math.inf, "1", None, True])
def test_a_norm_is_above_0(max_norm):
    with pytest.raises(
        (TypeError, ValueError), match=r"GradientClip: `max_norm` must be a .*above 0"
    ):
        GradientClip(max_norm)


@pytest.mark.parametrize("arguments", [{}, {"batches": 2, "n_acc": 8}])
def test_batches_or_samples_are_given(arguments):
    with pytest.raises(
        ValueError,
        match=r"exactly one of `batches` and `n_acc` must be given, .*Write GradientAccumulation\(",
    ):
        GradientAccumulation(**arguments)


@pytest.mark.parametrize("name", ["batches", "n_acc"])
@pytest.mark.parametrize("value", [0, -2, 2.0, "2", True])
def test_they_are_counted(name, value):
    message = f"GradientAccumulation: `{name}` must be an integer of at least 1"
    with pytest.raises((TypeError, ValueError), match=message):
        GradientAccumulation(**{name: value})


def test_a_norm_is_asked_for_when_there_are_gradients():
    class Early(Callback):
        def after_loss(self, learner):
            learner.gradient_norm()

    with pytest.raises(RuntimeError, match="before_step"):
        make_learner(cbs=Early()).iteration()
    with pytest.raises(RuntimeError, match="before_step"):
        make_learner().gradient_norm()


def test_a_class_in_the_place_of_a_callback_is_said():
    with pytest.raises(TypeError, match=r"`cbs` must be .*this class: GradientClip\("):
        make_learner().fit(1, cbs=GradientClip)


@pytest.mark.skipif(MXNET_2, reason="MXNet 2.0 has no gradients by rows")
def test_gradients_by_rows_are_not_added_up():
    net = rows(sparse=True)
    learner = Learner(net, words())
    with learner.no_bar(), pytest.raises(ValueError, match=r"row-sparse.*sparse_grad=False"):
        learner.fit(1, 0.1, cbs=GradientAccumulation(2))
    assert set(grad_reqs(learner)) == {"write"}
