"""The Learner against a plain Gluon loop."""

import numpy as np
import pytest
from conftest import (
    BATCH_SIZE,
    ONE,
    SAMPLES,
    TWO,
    assert_same_arrays,
    let_workers_finish,
    make_dataset,
    make_learner,
    make_net,
    stated,
    weights,
)

from gluon_lr import FactorScheduler, Learner
from gluon_lr._mxnet import contexts_of, metric, mx, nd

nn = mx.gluon.nn
DATASET = make_dataset()


def make_loader(samples=SAMPLES, batch_size=BATCH_SIZE):
    return mx.gluon.data.DataLoader(make_dataset(samples), batch_size)


def initialised_net(ctx):
    mx.random.seed(1)
    net = make_net()
    net.initialize(mx.init.Xavier(), ctx=ctx)
    net(nd.ones((1, 5), ctx=ctx[0] if isinstance(ctx, list) else ctx))
    return net


def plain_loop(net, contexts, params, lrs):
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", params)
    loss_function = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    seen = []
    batches = iter([])
    for lr in lrs:
        try:
            data, label = next(batches)
        except StopIteration:
            batches = iter(make_loader())
            data, label = next(batches)
        data, label = (mx.gluon.utils.split_and_load(a, contexts) for a in (data, label))
        with mx.autograd.record():
            losses = [loss_function(net(x), y) for x, y in zip(data, label)]
        for loss in losses:
            loss.backward()
        trainer.set_learning_rate(lr)
        trainer.step(BATCH_SIZE)
        seen.append(float(np.concatenate([loss.asnumpy() for loss in losses]).mean()))
    return seen


@pytest.mark.parametrize("contexts", [[ONE], TWO])
def test_trains_as_a_plain_loop_does(contexts):
    lrs = [0.5, 0.1, 0, 0.3, 0.2, 0.1, 0.05, 0.01, 1]
    params = {"momentum": 0.9, "wd": 0.01}
    expected_net = initialised_net(contexts)
    expected = plain_loop(expected_net, contexts, params, lrs)
    learner = Learner(
        initialised_net(contexts), make_loader(), optimizer="sgd", optimizer_params=params
    )
    actual = [learner.iteration(lr) for lr in lrs]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    trained = [p.data(contexts[0]).asnumpy() for p in expected_net.collect_params().values()]
    ours = [p.data(contexts[0]).asnumpy() for p in learner.net.collect_params().values()]
    assert_same_arrays(ours, trained)
    assert learner.iteration_loss == actual[-1]


def test_an_uninitialised_net_is_initialised_where_asked():
    learner = Learner(make_net(), make_loader(), ctx=TWO)
    learner.iteration(0.1)
    assert all(contexts_of(p) == TWO for p in learner.net.collect_params().values())
    assert learner.ctx == TWO


def test_what_is_initialised_already_is_kept():
    net = nn.HybridSequential()
    pretrained, head = nn.Dense(4, in_units=5), nn.Dense(3, in_units=4)
    net.add(pretrained, head)
    pretrained.initialize(mx.init.One())
    Learner(net, make_loader())
    assert (pretrained.weight.data().asnumpy() == 1).all()
    assert head.weight.data().asnumpy().std() > 0


def test_a_deferred_initialisation_is_kept():
    net = nn.Dense(3)
    net.initialize(mx.init.One())
    learner = Learner(net, make_loader())
    learner.iteration(0)
    assert (net.weight.data().asnumpy() == 1).all()


def test_a_finite_loader_starts_again():
    learner = make_learner(finite=True)
    losses = [learner.iteration(0) for _ in range(2 * SAMPLES // BATCH_SIZE)]
    first_pass, second_pass = losses[: len(losses) // 2], losses[len(losses) // 2 :]
    assert first_pass == second_pass
    assert len(set(first_pass)) > 1


def test_a_last_batch_that_is_smaller_is_scaled_by_its_own_size():
    net = nn.Dense(3, in_units=5)
    net.initialize(mx.init.Zero())
    learner = Learner(net, make_loader(samples=4, batch_size=3))
    before = net.bias.data().asnumpy()
    learner.iteration(1)
    learner.iteration(0)
    assert np.abs(net.bias.data().asnumpy() - before).max() < 1


def test_a_rate_stays_until_the_next_one():
    learner = make_learner(learning_rate=0.5)
    learner.iteration()
    assert learner.trainer.learning_rate == 0.5
    learner.iteration(0.1)
    learner.iteration()
    assert learner.trainer.learning_rate == 0.1


def test_a_rate_of_zero_means_zero():
    learner = make_learner(learning_rate=0.5)
    trained = [
        p.data().asnumpy() for p in learner.net.collect_params().values() if p.grad_req != "null"
    ]
    learner.iteration(0)
    after = [
        p.data().asnumpy() for p in learner.net.collect_params().values() if p.grad_req != "null"
    ]
    assert_same_arrays(after, trained)


def test_a_rate_overrides_a_scheduler_for_its_own_iteration():
    schedule = FactorScheduler(1, 0.5, base_lr=0.8)
    learner = make_learner(
        trainer=lambda net: mx.gluon.Trainer(
            net.collect_params(), "sgd", stated("sgd", {"lr_scheduler": schedule})
        )
    )
    manual = make_learner()
    for lr, expected in [(None, 0.8), (0.01, 0.01), (None, 0.2)]:
        learner.iteration(lr)
        manual.iteration(expected)
    assert learner.trainer.optimizer.lr_scheduler is schedule
    assert learner.trainer.learning_rate == 0.2
    assert_same_arrays(weights(learner), weights(manual))


def test_without_a_step_gradients_come_and_weights_stay():
    learner = make_learner(learning_rate=0.5)
    weight = learner.net[0].weight
    before = weight.data().asnumpy()
    learner.iteration(take_step=False)
    np.testing.assert_array_equal(weight.data().asnumpy(), before)
    assert np.abs(weight.grad().asnumpy()).max() > 0


def test_enqueue_does_as_iteration_does_and_lets_one_wait_later():
    waiting, straight = (make_learner(TWO, learning_rate=0.1) for _ in range(2))
    pending = [waiting.enqueue(lr=0.2) for _ in range(4)]
    assert repr(pending[-1]) == "PendingLoss(computing)"
    losses = [straight.iteration(lr=0.2) for _ in range(4)]
    assert [float(loss) for loss in pending] == losses
    assert waiting.iteration_loss == float(pending[-1]) == losses[-1]
    assert repr(pending[0]) == f"PendingLoss({losses[0]})"
    assert_same_arrays(weights(waiting), weights(straight))


def test_validate_is_the_mean_loss_of_the_net_in_use():
    learner = make_learner(TWO, learning_rate=0.1)
    learner.iteration()
    before = weights(learner)
    data, label = (nd.array(array) for array in make_dataset()[:21])
    loss = learner.validate([(data[:16], label[:16]), (data[16:], label[16:])])
    expected = [
        learner.loss(learner.net(data.as_in_context(ctx)), label.as_in_context(ctx)).asnumpy()
        for ctx in TWO
    ]  # each context has running statistics of its own
    halves = [*expected[0][:8], *expected[1][8:16], *expected[0][16:19], *expected[1][19:]]
    assert loss == {"valid_loss": pytest.approx(np.mean(halves), rel=1e-6)}
    assert_same_arrays(weights(learner), before)
    with pytest.raises(ValueError, match="`valid_loader` must be an iterable that yields a batch"):
        learner.validate([])


def test_loss_and_data_of_other_kinds():
    data = [(np.ones((4, 5), np.float32), np.zeros((4, 1), np.float32))]
    learner = Learner(nn.Dense(1), data, loss=mx.gluon.loss.L2Loss())
    losses = [learner.iteration(0.1) for _ in range(5)]
    assert losses == sorted(losses, reverse=True)


def test_an_optimizer_may_be_given_whole():
    learner = Learner(make_net(), make_loader(), optimizer=mx.optimizer.Adam(learning_rate=0.02))
    assert learner.trainer.learning_rate == 0.02
    assert repr(learner) == "Learner(HybridSequential on cpu(0), Adam at 0.02)"


@pytest.mark.parametrize("workers", [0, 1])
def test_closing_ends_the_iterator_and_the_training(workers):
    loader = mx.gluon.data.DataLoader(make_dataset(), BATCH_SIZE, num_workers=workers)
    with Learner(make_net(), loader) as learner:
        learner.iteration(0.1)
    learner.close()
    with pytest.raises(RuntimeError, match="Learner: it is closed"):
        learner.iteration(0.1)
    let_workers_finish(loader)


class Empty:
    def __iter__(self):
        return iter(())


@pytest.mark.parametrize("loader", [[], Empty(), iter([])])
def test_a_loader_that_yields_nothing_raises(loader):
    with pytest.raises(ValueError, match="`data_loader` must be an iterable that yields a batch"):
        Learner(make_net(), loader).iteration(0.1)


@pytest.mark.parametrize(
    ("batch", "parts"),
    [(nd.ones((4, 5)), r"an array of shape \(4, 5\)"), ([1, 2.0, "3"], "'int, float'")],
)
def test_a_loader_that_yields_no_pairs_raises(batch, parts):
    with pytest.raises(ValueError, match=rf"\(data, label\).*, got .*{parts}.* .?compute_loss"):
        Learner(make_net(), [batch]).iteration(0.1)


THREE = [mx.cpu(0), mx.cpu(1), mx.cpu(2)]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("grad_req", ["write", "add"])
def test_contexts_train_alike_on_batches_of_any_size(batch_size, grad_req):
    def trained(ctx):
        mx.random.seed(1)
        net = mx.gluon.nn.Dense(3, in_units=5)
        for parameter in net.collect_params().values():
            parameter.grad_req = grad_req
        # 16 samples, so that the last batch of a pass is smaller
        loader = make_loader(samples=16, batch_size=batch_size)
        params = {"learning_rate": 0.1, "momentum": 0.9}
        learner = Learner(net, loader, ctx=ctx, optimizer_params=params, valid_loader=loader)
        losses = []
        for _ in range(20):
            losses.append(learner.iteration())
            for parameter in net.collect_params().values():
                for gradient in parameter.list_grad():
                    gradient[:] = 0
        return [*losses, learner.validate(metrics="acc")["valid_loss"]], weights(learner)

    losses, alone = trained(ONE)
    losses_of_three, several = trained(THREE)
    np.testing.assert_allclose(losses_of_three, losses, rtol=1e-5)
    for number, array in enumerate(several):
        np.testing.assert_allclose(array, alone[number // 3], rtol=1e-4, atol=1e-6)


def test_metrics_are_of_each_sample_once():
    learner = Learner(make_net(), make_loader(samples=7, batch_size=2), ctx=THREE)
    learner.iteration()
    counted = metric.Accuracy()
    learner.validate(learner.data_loader, counted)
    assert counted.num_inst == 7


@pytest.mark.parametrize("lr", [-0.1, float("nan"), float("inf")])
def test_a_bad_rate_changes_nothing(lr):
    learner, untouched = make_learner(), make_learner()
    with pytest.raises(ValueError, match=r"Learner.iteration: `lr` must be a finite number"):
        learner.iteration(lr)
    assert learner.iteration(0.1) == untouched.iteration(0.1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"net": "resnet"}, TypeError, "Learner: `net` must be an mx.gluon.Block"),
        ({"data_loader": 5}, TypeError, "`data_loader`"),
        ({"ctx": "gpu"}, TypeError, "`ctx` must be an mx.Context or a list"),
        ({"ctx": []}, TypeError, "`ctx`"),
        ({"ctx": mx.gluon.loss.L2Loss()}, TypeError, "`ctx` .* by name: valid_loader="),
        ({"ctx": [1, 2]}, TypeError, "`ctx` .* by name: valid_loader="),
        ({"data_loader": DATASET}, TypeError, r"DataLoader\(dataset, batch_size=32\)"),
        ({"valid_loader": DATASET}, TypeError, r"DataLoader\(dataset, batch_size=32\)"),
        ({"trainer": "sgd"}, TypeError, r"`trainer` must be an mx\.gluon\.Trainer, got 'sgd'"),
        ({"loss": 1}, TypeError, "`loss` must be callable"),
        ({"valid_loader": 5}, TypeError, "`valid_loader` must be an iterable"),
        ({"metrics": "no such thing"}, ValueError, r"an argument of mx\.metric\.create"),
        ({"groups": ["no such name"]}, ValueError, "`groups` must be a list in which each"),
        ({"iterations_per_epoch": 0}, ValueError, "`iterations_per_epoch` must be an integer"),
        (
            {"optimizer": mx.optimizer.SGD(), "optimizer_params": {"wd": 1}},
            ValueError,
            "be omitted if",
        ),
        ({"loss": mx.gluon.loss.L2Loss}, TypeError, r"`loss` must be callable .* L2Loss\(\.\.\.\)"),
        ({"optimizer": "no such thing"}, ValueError, "Cannot find optimizer"),
    ],
)
def test_bad_arguments_leave_the_net_alone(arguments, error, message):
    net = make_net()
    with pytest.raises(error, match=message):
        Learner(**{"net": net, "data_loader": make_loader(), **arguments})
    with pytest.raises(RuntimeError, match="not been initialized"):
        for parameter in net.collect_params().values():
            contexts_of(parameter)


@pytest.mark.parametrize("argument", [{"optimizer": "adam"}, {"optimizer_params": {"wd": 1}}])
def test_what_a_trainer_would_ignore_is_refused(argument):
    net = initialised_net(mx.cpu())
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd")
    with pytest.raises(ValueError, match="must be omitted if a trainer"):
        Learner(net, make_loader(), trainer=trainer, **argument)


def test_a_context_the_net_is_not_on_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"reset_ctx\(ctx\)"):
        Learner(initialised_net(ONE), make_loader(), ctx=mx.cpu(1))
