"""The 37 code blocks of MXNet's learning-rate tutorials, in our words and on small data.

What they import is swapped: `mx.lr_scheduler` is ours, and so are the classes that the pages
define. A block has the place of its own on the page; it goes on from those of its part before it.
"""

import contextlib
import inspect
import math
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

import gluon_lr
from gluon_lr import (
    ContinuousBatchSampler,
    CosineAnnealingSchedule,
    CyclicalSchedule,
    Learner,
    LinearCoolDown,
    LinearWarmUp,
    LRFinder,
    LRFinderStoppingCriteria,
    OneCycleSchedule,
    TriangularSchedule,
    plot_schedule,
)
from gluon_lr._mxnet import mx

lr_scheduler = gluon_lr
REQUIRED = inspect.Parameter.empty
IMAGES, BATCH_SIZE = 60, 16
PARTS = {"schedules": [], "finder": [], "advanced": []}


def block(part, place):
    """Take a function for a code block of a part of the pages."""

    def take(run):
        PARTS[part].append((place, run))
        return run

    return take


def has_arguments(function, **defaults):
    """Check the first arguments of a function, in their order, and what they are by default."""
    parameters = inspect.signature(function).parameters
    found = {name: parameters[name].default for name in list(parameters)[: len(defaults)]}
    assert list(found.items()) == list(defaults.items())


def gives(schedule, **expected):
    """Check rates at iterations, ``at_1=...``, and that a schedule's picture shows them."""
    rates = {name: schedule(int(name[3:])) for name in expected}
    assert rates == pytest.approx(expected, rel=1e-3)
    line = plot_schedule(schedule, 1500, show=True).get_lines()[0]
    assert (line.get_xdata()[0], line.get_xdata()[-1]) == (1, 1500)
    for name, rate in rates.items():
        if int(name[3:]) in line.get_xdata():
            assert line.get_ydata()[int(name[3:]) - 1] == pytest.approx(rate, rel=1e-12)


def draws_from_1_and_shows():
    has_arguments(plot_schedule, schedules=REQUIRED, iterations=None)
    line = plot_schedule(lambda iteration: 1 / iteration).get_lines()[0]
    assert line.get_xdata()[-1] == 1500
    before = plt.show.count
    axes = plot_schedule(lambda iteration: 1 / iteration, iterations=10)
    assert plt.show.count == before
    assert list(axes.get_lines()[0].get_xdata()) == list(range(1, 11))
    assert plot_schedule(lambda iteration: 0.1, show=True) is not None
    assert plt.show.count == before + 1


def images_and_labels(channels):
    random = np.random.RandomState(0)
    images = random.randn(IMAGES, channels, 10, 10).astype("float32")
    return mx.gluon.data.ArrayDataset(images, (images.mean(axis=(1, 2, 3)) > 0).astype("float32"))


def small_net():
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    with net.name_scope() if hasattr(net, "name_scope") else contextlib.nullcontext():
        net.add(nn.Conv2D(channels=3, kernel_size=3, activation="relu"), nn.MaxPool2D(2, 2))
        net.add(nn.Flatten(), nn.Dense(2))
    return net


def step(page, data, label):
    """Compute the gradients of a batch and return its mean loss; the update is the block's."""
    with mx.autograd.record():
        output = page.net(data.as_in_context(page.ctx))
        loss = page.loss_fn(output, label.as_in_context(page.ctx))
    loss.backward()
    return float(loss.asnumpy().mean())


@block("schedules", "Learning Rate Schedules, imports")
def _(page):
    for name in ("FactorScheduler", "MultiFactorScheduler", "PolyScheduler", "CosineScheduler"):
        ours, own = getattr(lr_scheduler, name), getattr(mx.lr_scheduler, name)
        has_arguments(ours, **{n: p.default for n, p in inspect.signature(own).parameters.items()})


@block("schedules", "Learning Rate Schedules, plot_schedule")
def _(page):
    draws_from_1_and_shows()


@block("schedules", "Stepwise Decay Schedule, equal steps")
def _(page):
    schedule = lr_scheduler.FactorScheduler(step=250, factor=0.5)
    assert schedule.base_lr == 0.01
    schedule.base_lr = 1
    gives(schedule, at_1=1, at_250=1, at_251=0.5, at_500=0.5, at_501=0.25, at_1500=0.5**5)


@block("schedules", "Stepwise Decay Schedule, steps of one's own")
def _(page):
    schedule = lr_scheduler.MultiFactorScheduler(step=[250, 750, 900], factor=0.5)
    schedule.base_lr = 1
    gives(schedule, at_250=1, at_251=0.5, at_750=0.5, at_751=0.25, at_900=0.25, at_901=0.125)


@block("schedules", "Polynomial Schedule")
def _(page):
    schedule = lr_scheduler.PolyScheduler(max_update=1000, base_lr=1, pwr=2)
    gives(schedule, at_1=0.998, at_500=0.25, at_1000=0, at_1001=0, at_1500=0)


@block("schedules", "Custom Schedules")
def _(page):
    has_arguments(CosineAnnealingSchedule, min_lr=REQUIRED, max_lr=REQUIRED, cycle_length=REQUIRED)
    schedule = CosineAnnealingSchedule(min_lr=0, max_lr=1, cycle_length=1000)
    assert (schedule.min_lr, schedule.max_lr, schedule.cycle_length) == (0, 1, 1000)
    gives(schedule, at_0=1, at_1=1, at_500=0.5, at_1000=0, at_1500=0)


@block("schedules", "Using Schedules, data and net")
def _(page):
    page.ctx = mx.cpu()
    page.train_dataset = images_and_labels(channels=1)
    page.train_dataloader = mx.gluon.data.DataLoader(page.train_dataset, BATCH_SIZE, shuffle=True)
    page.net = small_net()


@block("schedules", "Using Schedules, initialisation and loss")
def _(page):
    page.net.initialize(mx.init.Xavier(), ctx=page.ctx)
    page.loss_fn = mx.gluon.loss.SoftmaxCrossEntropyLoss()


@block("schedules", "Using Schedules, steps in iterations")
def _(page):
    page.steps_iterations = [s * math.ceil(len(page.train_dataset) / BATCH_SIZE) for s in (4, 7, 9)]
    assert page.steps_iterations == [16, 28, 36]


@block("schedules", "Using Schedules, the schedule")
def _(page):
    page.schedule = lr_scheduler.MultiFactorScheduler(step=page.steps_iterations, factor=0.1)
    assert page.schedule.step == page.steps_iterations


@block("schedules", "Using Schedules, the optimizer")
def _(page):
    page.optimizer = mx.optimizer.SGD(learning_rate=0.03, lr_scheduler=page.schedule)
    assert page.optimizer.lr_scheduler is page.schedule
    assert page.schedule.base_lr == 0.03


@block("schedules", "Using Schedules, the trainer")
def _(page):
    page.trainer = mx.gluon.Trainer(params=page.net.collect_params(), optimizer=page.optimizer)


@block("schedules", "Using Schedules, the training")
def _(page):
    seen = []
    for _ in range(10):
        for batch_num, (data, label) in enumerate(page.train_dataloader, start=1):
            loss = step(page, data, label)
            page.trainer.step(data.shape[0])
            if batch_num == 1:
                assert math.isfinite(loss)
                seen.append(page.trainer.learning_rate)
    assert seen == pytest.approx([0.03] * 4 + [0.003] * 3 + [0.0003] * 2 + [0.00003])


@block("schedules", "Manually setting the learning rate")
def _(page):
    page.net = small_net()
    page.net.initialize(mx.init.Xavier(), ctx=page.ctx)
    schedule = lr_scheduler.MultiFactorScheduler(step=page.steps_iterations, factor=0.1)
    schedule.base_lr = 0.03
    trainer = mx.gluon.Trainer(params=page.net.collect_params(), optimizer=mx.optimizer.SGD())
    iteration_idx, seen = 1, []
    for _ in range(10):
        for data, label in page.train_dataloader:
            step(page, data, label)
            trainer.set_learning_rate(schedule(iteration_idx))
            trainer.step(data.shape[0])
            seen.append(trainer.learning_rate)
            iteration_idx += 1
    assert (seen[0], seen[-1]) == pytest.approx((0.03, 0.00003))


@block("finder", "Epoch to Iteration, Learner")
def _(page):
    has_arguments(Learner, net=REQUIRED, data_loader=REQUIRED, ctx=None)
    has_arguments(Learner.iteration, self=REQUIRED, lr=None, take_step=True)
    has_arguments(Learner.close, self=REQUIRED)
    dataset = images_and_labels(channels=3)
    loader = mx.gluon.data.DataLoader(dataset, BATCH_SIZE)
    net = small_net()
    learner = Learner(net=net, data_loader=loader, ctx=mx.cpu())
    assert (learner.net, learner.data_loader, learner.ctx) == (net, loader, mx.cpu())
    assert isinstance(learner.trainer.optimizer, mx.optimizer.SGD)
    learner.iteration(take_step=False)
    weight = net[-1].weight.data().asnumpy()
    assert learner.iteration(take_step=False) == learner.iteration_loss
    np.testing.assert_array_equal(net[-1].weight.data().asnumpy(), weight)
    assert learner.iteration(lr=0.25, take_step=False) == learner.iteration_loss
    assert learner.trainer.learning_rate == 0.25
    assert isinstance(learner.loss_fn, mx.gluon.loss.SoftmaxCrossEntropyLoss)
    data, label = next(learner.data_loader_iter)
    assert data.shape[0] == label.shape[0] == 12  # the last of four batches of 60 images
    learner.iteration(lr=0.5)
    assert learner.trainer.learning_rate == 0.5
    assert np.abs(net[-1].weight.data().asnumpy() - weight).max() > 0
    learner.close()


@block("finder", "Epoch to Iteration, batches without an end")
def _(page):
    has_arguments(ContinuousBatchSampler, sampler=REQUIRED, batch_size=REQUIRED)
    dataset = images_and_labels(channels=3)
    sampler = mx.gluon.data.RandomSampler(len(dataset))
    batch_sampler = ContinuousBatchSampler(sampler, batch_size=BATCH_SIZE)
    page.data_loader = mx.gluon.data.DataLoader(dataset, batch_sampler=batch_sampler)
    batches = iter(page.data_loader)
    assert [next(batches)[0].shape[0] for _ in range(9)] == [BATCH_SIZE] * 9


@block("finder", "Implementation, LRFinder")
def _(page):
    has_arguments(LRFinder, learner=None)
    has_arguments(LRFinder.find, self=REQUIRED, lr_start=1e-6, lr_multiplier=1.1, smoothing=0.3)


@block("finder", "Implementation, LRFinderStoppingCriteria")
def _(page):
    has_arguments(LRFinderStoppingCriteria, smoothing=0.3, min_iter=20)
    criterion = LRFinderStoppingCriteria(smoothing=0.5, min_iter=10)
    assert (criterion.smoothing, criterion.min_iter) == (0.5, 10)
    assert (criterion.first_loss, criterion.running_mean, criterion.counter) == (None, None, 0)
    assert not criterion(2.0)
    assert not criterion(4.0)
    assert (criterion.first_loss, criterion.running_mean, criterion.counter) == (2.0, 3.0, 2)


@block("finder", "Usage, the search")
def _(page):
    page.ctx = mx.cpu()
    page.net = small_net()
    page.learner = Learner(net=page.net, data_loader=page.data_loader, ctx=page.ctx)
    finder = LRFinder(page.learner)
    assert finder.learner is page.learner
    pairs = finder.find(lr_start=1e-6, lr_multiplier=1.5)
    assert [lr for lr, _ in pairs][:3] == pytest.approx([1e-6, 1.5e-6, 2.25e-6])
    assert all(math.isfinite(loss) for _, loss in pairs)
    assert finder.plot() is not None
    assert finder.results == list(pairs)


def falls_at(page, lr):
    """Train as the page does at one rate, and return the losses."""
    losses = []
    for iter_idx in range(40):
        page.learner.iteration(lr=lr)
        losses.append(page.learner.iteration_loss)
        if iter_idx % 20 == 0:
            assert page.learner.trainer.learning_rate == lr
    page.learner.close()
    return losses


@block("finder", "Usage, training at the rate found")
def _(page):
    page.learner.net.save_parameters(page.path)
    losses = falls_at(page, 0.05)
    assert np.mean(losses[-8:]) < np.mean(losses[:8])


def learn_anew(page):
    page.net = small_net()
    page.learner = Learner(net=page.net, data_loader=page.data_loader, ctx=page.ctx)
    page.learner.net.load_parameters(page.path, ctx=page.ctx)


@block("finder", "Usage, training at a higher rate")
def _(page):
    learn_anew(page)
    assert np.isfinite(falls_at(page, 0.5)).all()


@block("finder", "Usage, training at a lower rate")
def _(page):
    learn_anew(page)
    losses = falls_at(page, 0.005)
    assert np.mean(losses[-8:]) < np.mean(losses[:8])


@block("advanced", "Advanced Learning Rate Schedules, imports")
def _(page):
    for name in ("TriangularSchedule", "LinearWarmUp", "OneCycleSchedule", "CyclicalSchedule"):
        assert name in gluon_lr.__all__


@block("advanced", "Advanced Learning Rate Schedules, plot_schedule")
def _(page):
    draws_from_1_and_shows()


@block("advanced", "(Slanted) Triangular, class")
def _(page):
    bounds = {"min_lr": REQUIRED, "max_lr": REQUIRED, "cycle_length": REQUIRED}
    has_arguments(TriangularSchedule, **bounds, inc_fraction=0.5)
    schedule = TriangularSchedule(1, 2, 1000, 0.2)
    assert (schedule.min_lr, schedule.max_lr) == (1, 2)
    assert (schedule.cycle_length, schedule.inc_fraction) == (1000, 0.2)


@block("advanced", "(Slanted) Triangular, example")
def _(page):
    schedule = TriangularSchedule(min_lr=1, max_lr=2, cycle_length=1000, inc_fraction=0.2)
    gives(schedule, at_0=1, at_1=1.005, at_200=2, at_600=1.5, at_1000=1, at_1500=1, at_9999=1)


@block("advanced", "Cosine, class")
def _(page):
    has_arguments(CosineAnnealingSchedule, min_lr=REQUIRED, max_lr=REQUIRED, cycle_length=REQUIRED)


@block("advanced", "Cosine, example")
def _(page):
    schedule = CosineAnnealingSchedule(min_lr=1, max_lr=2, cycle_length=1000)
    gives(schedule, at_0=2, at_500=1.5, at_1000=1, at_1500=1, at_9999=1)


def halved_thrice():
    schedule = lr_scheduler.MultiFactorScheduler(step=[250, 750, 900], factor=0.5)
    schedule.base_lr = 1
    return schedule


@block("advanced", "Warm-Up, class")
def _(page):
    has_arguments(LinearWarmUp, schedule=REQUIRED, start_lr=REQUIRED, length=REQUIRED)
    inner = halved_thrice()
    schedule = LinearWarmUp(inner, 0, 250)
    assert schedule.schedule is inner
    assert (schedule.start_lr, schedule.finish_lr, schedule.length) == (0, 1, 250)


@block("advanced", "Warm-Up, example")
def _(page):
    schedule = LinearWarmUp(halved_thrice(), start_lr=0, length=250)
    gives(schedule, at_0=0, at_125=0.5, at_250=1, at_500=1, at_501=0.5, at_1001=0.25, at_1151=0.125)


@block("advanced", "Cool-Down, class")
def _(page):
    lengths = {"start_idx": REQUIRED, "length": REQUIRED}
    has_arguments(LinearCoolDown, schedule=REQUIRED, finish_lr=REQUIRED, **lengths)
    inner = halved_thrice()
    schedule = LinearCoolDown(inner, 0.001, 1000, 500)
    assert schedule.schedule is inner
    assert (schedule.start_lr, schedule.finish_lr) == (0.125, 0.001)
    assert (schedule.start_idx, schedule.finish_idx, schedule.length) == (1000, 1500, 500)


@block("advanced", "Cool-Down, example")
def _(page):
    schedule = LinearCoolDown(halved_thrice(), finish_lr=0.001, start_idx=1000, length=500)
    gives(schedule, at_250=1, at_1000=0.125, at_1250=0.063, at_1500=0.001, at_9999=0.001)


@block("advanced", "1-Cycle, class")
def _(page):
    bounds = {"start_lr": REQUIRED, "max_lr": REQUIRED, "cycle_length": REQUIRED}
    has_arguments(OneCycleSchedule, **bounds, cooldown_length=0, finish_lr=None)
    with pytest.raises(ValueError, match="finish_lr"):
        OneCycleSchedule(0.1, 0.5, 500, cooldown_length=750)
    with pytest.raises(ValueError, match="cooldown_length"):
        OneCycleSchedule(0.1, 0.5, 500, finish_lr=0.001)
    inner = OneCycleSchedule(0.1, 0.5, 500).schedule
    assert inner == LinearCoolDown(TriangularSchedule(0.1, 0.5, 500), 0.1, 500, 0)
    gives(OneCycleSchedule(0.1, 0.5, 500), at_250=0.5, at_500=0.1, at_1500=0.1)


@block("advanced", "1-Cycle, example")
def _(page):
    schedule = OneCycleSchedule(
        start_lr=0.1, max_lr=0.5, cycle_length=500, cooldown_length=750, finish_lr=0.001
    )
    gives(schedule, at_0=0.1, at_250=0.5, at_500=0.1, at_875=0.0505, at_1250=0.001, at_1500=0.001)


@block("advanced", "Cyclical, class")
def _(page):
    decays = {"cycle_length_decay": 1, "cycle_magnitude_decay": 1}
    has_arguments(CyclicalSchedule, schedule_class=REQUIRED, cycle_length=REQUIRED, **decays)
    schedule = CyclicalSchedule(TriangularSchedule, 500, 2, 0.5, min_lr=0, max_lr=1)
    assert schedule.schedule_class is TriangularSchedule
    assert (schedule.length, schedule.length_decay, schedule.magnitude_decay) == (500, 2, 0.5)
    assert schedule.kwargs == {"min_lr": 0, "max_lr": 1}


@block("advanced", "Cyclical, triangles")
def _(page):
    schedule = CyclicalSchedule(TriangularSchedule, min_lr=0.5, max_lr=2, cycle_length=500)
    gives(schedule, at_0=0.5, at_250=2, at_500=0.5, at_750=2, at_1000=0.5, at_1250=2)


@block("advanced", "Cyclical, SGDR")
def _(page):
    schedule = CyclicalSchedule(
        CosineAnnealingSchedule,
        min_lr=0.01,
        max_lr=2,
        cycle_length=250,
        cycle_length_decay=2,
        cycle_magnitude_decay=0.5,
    )
    gives(schedule, at_0=2, at_125=1.005, at_250=1, at_500=0.5025, at_750=0.5)


def test_there_are_37_blocks_each_at_a_place_of_its_own():
    places = [place for blocks in PARTS.values() for place, _ in blocks]
    assert len(places) == len(set(places)) == 37


@pytest.mark.parametrize("part", PARTS)
def test_the_blocks_run_and_give_what_the_pages_say(part, monkeypatch, tmp_path):
    def show():
        show.count += 1
        plt.close("all")

    show.count = 0
    monkeypatch.setattr(plt, "show", show)
    mx.random.seed(42)
    page = SimpleNamespace(path=str(tmp_path / "net.params"))
    for place, run in PARTS[part]:
        try:
            run(page)
        except Exception as error:
            raise AssertionError(f"the block of {part}: {place}") from error
    plt.close("all")
