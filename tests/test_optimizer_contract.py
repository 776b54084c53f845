"""Schedules in MXNet's optimizers, trainers and modules, as users put them there."""

import copy
import itertools
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import TWO, assert_same_arrays, make_learner, stated, weights

from gluon_lr import (
    ConstantSchedule,
    ConstantWarmUp,
    CoolDown,
    CosineAnnealingSchedule,
    CosineScheduler,
    CosineWarmUp,
    CyclicalSchedule,
    ExponentialScheduler,
    FactorScheduler,
    InverseSqrtScheduler,
    InverseTimeScheduler,
    KDecaySchedule,
    LinearCoolDown,
    LinearWarmUp,
    MultiFactorScheduler,
    OneCycleSchedule,
    PiecewiseSchedule,
    PlateauScheduler,
    PolyScheduler,
    PowerLawSchedule,
    REXSchedule,
    TriangularSchedule,
    WarmupStableDecaySchedule,
    schedules,
)
from gluon_lr._mxnet import MXNET_2, mx, nd

DEFAULTS = {
    "sgd": None,
    "nag": None,
    "adam": 0.001,
    "rmsprop": 0.001,
    "lamb": 0.001,
    "adagrad": None,
    "signum": 0.01,
    "nadam": 0.001,
    "adamax": 0.002,
}


def every_schedule():
    step = FactorScheduler(3, 0.5, base_lr=0.1)
    plateau = PlateauScheduler(0.5, patience=0, base_lr=0.1, warmup_steps=2)
    plateau.observe(1.0)
    plateau.observe(2.0)
    return [
        FactorScheduler(3, 0.5, base_lr=0.1, warmup_steps=2),
        MultiFactorScheduler([2, 5], 0.5, base_lr=0.1),
        PolyScheduler(8, base_lr=0.1),
        CosineScheduler(8, base_lr=0.1),
        ExponentialScheduler(3, 0.5, base_lr=0.1, warmup_steps=2),
        InverseSqrtScheduler(3, base_lr=0.1),
        InverseTimeScheduler(3, base_lr=0.1, warmup_steps=2),
        plateau,
        ConstantSchedule(0.1),
        TriangularSchedule(0.01, 0.1, 8),
        CosineAnnealingSchedule(0.01, 0.1, 8),
        REXSchedule(0.01, 0.1, 8),
        PowerLawSchedule(0.1, 0.2, -0.5),
        PiecewiseSchedule([0, 3, 8], [0.01, 0.1, 0], "cosine"),
        WarmupStableDecaySchedule(0.1, 2, 3, 3, "1-sqrt", finish_lr=0.001),
        OneCycleSchedule(0.01, 0.1, 6, 4, 0.001),
        CyclicalSchedule(CosineAnnealingSchedule, 4, 2, 0.5, min_lr=0.01, max_lr=0.1),
        LinearWarmUp(copy.copy(step), 0, 3),
        ConstantWarmUp(copy.copy(step), 0.01, 3),
        CosineWarmUp(copy.copy(step), 0, 3),
        LinearCoolDown(copy.copy(step), 0, 3, 4),
        CoolDown(copy.copy(step), 0.001, 3, 4, "square"),
        CosineScheduler(5, base_lr=0.1).continued(at=3, to=8),
        KDecaySchedule(CosineScheduler(8, base_lr=0.1), 8, 2),
        PolyScheduler(8, base_lr=0.1).shifted(2),
        CosineScheduler(8, base_lr=0.1) * PolyScheduler(6, base_lr=1),
        CosineScheduler(8, base_lr=0.1) + 0.01,
        CosineScheduler(8, base_lr=0.1).maximum(0.05),
        CosineScheduler(8, base_lr=0.1).minimum(InverseSqrtScheduler(3, base_lr=0.1)),
        step.then(CosineScheduler(5, base_lr=0.1), after=4),
        0.5 * copy.copy(step),
        PolyScheduler(8, base_lr=0.1).clip(0.01, 0.05),
        MultiFactorScheduler([1, 2], 0.5, base_lr=0.1).in_epochs(3),
    ]


def test_every_schedule_is_tried():
    tried = {type(schedule).__name__ for schedule in every_schedule()}
    public = {name for name in schedules.__all__ if isinstance(getattr(schedules, name), type)}
    assert tried == public - {"Schedule"}


every = pytest.mark.parametrize("schedule", every_schedule(), ids=lambda one: type(one).__name__)

in_turn = pytest.mark.parametrize(  # each context with every second one
    ("schedule", "ctx"),
    list(zip(every_schedule(), itertools.cycle([mx.cpu(), TWO]))),
    ids=lambda one: type(one).__name__,
)


def in_the_optimizer(schedule, ctx, name="sgd", **params):
    def trainer(net):
        settings = {"lr_scheduler": schedule, **params}
        return mx.gluon.Trainer(net.collect_params(), name, stated(name, settings))

    return make_learner(ctx, trainer=trainer)


@in_turn
def test_in_an_optimizer_it_gives_the_weights_of_a_manual_loop(schedule, ctx):
    automatic, manual = in_the_optimizer(schedule, ctx), make_learner(ctx, learning_rate=0.5)
    assert automatic.trainer.learning_rate == schedule(0)
    for n in range(1, 11):
        automatic.iteration()
        manual.trainer.set_learning_rate(schedule(n))
        manual.iteration()
        assert automatic.trainer.learning_rate == schedule(n)
    assert_same_arrays(weights(automatic), weights(manual))


def test_a_learning_rate_given_to_the_optimizer_moves_a_decay():
    schedule = PolyScheduler(10, base_lr=0.5, pwr=1, warmup_steps=2)
    learner = in_the_optimizer(schedule, mx.cpu(), learning_rate=0.1)
    seen = []
    for _ in range(6):
        learner.iteration()
        seen.append(learner.trainer.learning_rate)
    np.testing.assert_allclose(seen, [0.05, 0.1, 0.0875, 0.075, 0.0625, 0.05])


@pytest.mark.filterwarnings("ignore:.*the default learning_rate of")
@pytest.mark.parametrize("given", [None, 0.3, 0.5])
@pytest.mark.parametrize("optimizer", DEFAULTS)
@pytest.mark.parametrize(
    "make",
    [
        lambda: PolyScheduler(10, base_lr=0.5, warmup_steps=4),
        lambda: LinearWarmUp(PolyScheduler(8, base_lr=0.5, warmup_steps=2), 0, 2),
        lambda: LinearWarmUp(mx.lr_scheduler.PolyScheduler(8, base_lr=0.5, warmup_steps=2), 0, 2),
    ],
)
def test_a_decay_and_its_warm_up_start_from_the_rate_of_the_optimizer(make, optimizer, given):
    schedule = make()
    params = {} if given is None else {"learning_rate": given}
    created = mx.optimizer.create(optimizer, lr_scheduler=schedule, **params)
    base_lr = given or DEFAULTS[optimizer] or 0.5
    for assigned in (base_lr, 0.25):
        created.lr_scheduler.base_lr = assigned
        assert schedule.base_lr == assigned
        expected = make()
        expected.base_lr = assigned
        np.testing.assert_allclose(schedule(4), assigned, rtol=1e-12)
        np.testing.assert_allclose([schedule(n) for n in range(13)], expected.values(range(13)))


@pytest.mark.parametrize("given", [None, 0.3, 2])
@pytest.mark.parametrize("optimizer", DEFAULTS)
@pytest.mark.parametrize(
    "make", [lambda: TriangularSchedule(0.1, 2, 8), lambda: LinearWarmUp(ConstantSchedule(2), 0, 4)]
)
def test_stated_bounds_are_kept_with_one_warning_in_every_optimizer(make, optimizer, given):
    schedule = make()
    params = {} if given is None else {"learning_rate": given}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        created = mx.optimizer.create(optimizer, lr_scheduler=schedule, **params)
        created.lr_scheduler.base_lr = 0.7
    assert [one.filename for one in caught if "stays 2" in str(one.message)] == [__file__]
    assert schedule.base_lr == 2
    assert [schedule(n) for n in range(13)] == [make()(n) for n in range(13)]


def test_an_optimizers_default_rate_does_not_move_stated_bounds():
    schedule = TriangularSchedule(0.1, 2, 10)
    with pytest.warns(UserWarning, match=r"stays 2, .* 0\.001 is not used") as caught:
        mx.optimizer.Adam(lr_scheduler=schedule)
    assert [one.filename for one in caught] == [__file__]
    assert schedule(5) == 2


@in_turn
def test_training_resumed_from_saved_states_is_the_uninterrupted_one(schedule, ctx, tmp_path):
    updates = [1, 4] if ctx is TWO else [8]
    states = str(tmp_path / "states")
    straight = in_the_optimizer(copy.copy(schedule), ctx, momentum=0.9)
    expected = []
    for _ in range(9):
        straight.iteration()
        expected.append(weights(straight))
    for resumed_at in updates:
        resumed = in_the_optimizer(copy.copy(schedule), ctx, momentum=0.9)
        for n in range(9):
            if n == resumed_at:
                resumed.trainer.save_states(states)
                resumed.trainer.load_states(states)
            resumed.iteration()
            assert_same_arrays(weights(resumed), expected[n])


@every
def test_training_goes_on_in_a_new_process_where_it_was(schedule, tmp_path):
    states, params = str(tmp_path / "states"), str(tmp_path / "params")
    straight = in_the_optimizer(copy.copy(schedule), mx.cpu(), momentum=0.9)
    for n in range(9):
        if n == 4:
            straight.trainer.save_states(states)
            straight.net.save_parameters(params)
        straight.iteration()
    other = in_the_optimizer(ConstantSchedule(7), mx.cpu(), momentum=0.9)
    for _ in range(4):
        other.iteration(take_step=False)  # to the same place in the data
    other.net.load_parameters(params)
    other.trainer.load_states(states)
    for _ in range(4, 9):
        other.iteration()
    assert_same_arrays(weights(other), weights(straight))


@pytest.mark.parametrize("begin", [1, 5, 500])
@every
def test_an_optimizer_may_begin_at_any_update(schedule, begin):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = mx.optimizer.SGD(
            learning_rate=None, lr_scheduler=copy.copy(schedule), begin_num_update=begin
        )
    weight, gradient = nd.ones(3), nd.ones(3)
    mx.optimizer.get_updater(optimizer)(0, gradient, weight)
    assert optimizer.learning_rate == schedule(begin + 1)
    np.testing.assert_allclose(weight.asnumpy(), 1 - schedule(begin + 1), rtol=1e-6)


@every
def test_two_trainers_at_different_updates_share_one_schedule(schedule):
    shared = copy.copy(schedule)
    ahead, behind = (in_the_optimizer(shared, mx.cpu()) for _ in range(2))
    for _ in range(5):
        ahead.iteration()
    for n in range(1, 7):
        ahead.iteration()
        behind.iteration()
        assert ahead.trainer.learning_rate == schedule(n + 5)
        assert behind.trainer.learning_rate == schedule(n)


@every
def test_plotting_a_live_schedule_leaves_training_as_it_is(schedule):
    plain = in_the_optimizer(copy.copy(schedule), mx.cpu())
    drawn = in_the_optimizer(copy.copy(schedule), mx.cpu())
    _, ax = plt.subplots()
    for _ in range(6):
        plain.iteration()
        drawn.iteration()
        drawn.trainer._optimizer.lr_scheduler.plot(100, ax)
    plt.close()
    assert_same_arrays(weights(plain), weights(drawn))


def steps_of(name, **params):
    """Return the weights after each of a few updates of a small dense net without biases."""
    mx.random.seed(3)
    net = mx.gluon.nn.Sequential()
    net.add(mx.gluon.nn.Dense(4, use_bias=False), mx.gluon.nn.Dense(3, use_bias=False))
    net.initialize(mx.init.Xavier())
    data = nd.array(np.random.RandomState(0).randn(8, 5))
    net(data)
    trainer = mx.gluon.Trainer(net.collect_params(), name, params)
    mx.random.seed(4)
    seen = []
    for _ in range(5):
        with mx.autograd.record():
            loss = net(data) ** 2
        loss.backward()
        trainer.step(8)
        seen += [parameter.data().asnumpy() for parameter in net.collect_params().values()]
    return seen


@pytest.mark.filterwarnings("ignore:ConstantSchedule")
@pytest.mark.parametrize("given", [{}, {"learning_rate": 0.05}])
@pytest.mark.parametrize("name", sorted(set(mx.optimizer.Optimizer.opt_registry) - {"test"}))
def test_a_constant_schedule_is_the_learning_rate_in_every_optimizer(name, given):
    expected = steps_of(name, learning_rate=0.05)
    assert_same_arrays(steps_of(name, lr_scheduler=ConstantSchedule(0.05), **given), expected)
    assert np.abs(expected[-1] - expected[1]).max() > 0


EVERY_OPTIMIZER = sorted({*mx.optimizer.Optimizer.opt_registry} - {"test", "groupadagrad"})


FITS = [("fit_one_cycle", 3), ("fit_sgdr", 2, 1), ("fit_flat_cos", 3)]


@pytest.mark.parametrize(("name", "fit"), list(zip(EVERY_OPTIMIZER, itertools.cycle(FITS))))
def test_the_fits_along_curves_end_with_finite_weights_by_every_optimizer(name, fit):
    method, *lengths = fit
    learner = make_learner(optimizer=name, finite=True)
    learner.progress = False
    getattr(learner, method)(*lengths, 0.01)
    assert all(np.isfinite(one).all() for one in weights(learner))
    assert np.isfinite(learner.recorder.losses).all()
    assert len(learner.recorder) == 12


@pytest.mark.skipif(MXNET_2, reason="MXNet 2.0 removed mx.mod.Module")
@every
def test_in_module_fit(schedule):
    data = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3)
    module = mx.mod.Module(mx.sym.SoftmaxOutput(data, name="softmax"))
    random = np.random.RandomState(0)
    batches = mx.io.NDArrayIter(random.randn(64, 5), random.randint(0, 3, 64), batch_size=16)
    seen = []
    module.fit(
        batches,
        num_epoch=2,
        optimizer="sgd",
        optimizer_params={"lr_scheduler": schedule, "rescale_grad": 1 / 16},
        batch_end_callback=lambda _: seen.append(module._optimizer.learning_rate),
    )
    assert seen == [schedule(n) for n in range(1, 9)]
