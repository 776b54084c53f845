"""The recorder, in a plain loop and after fits: numbers, tables, pictures."""

import csv
import io
import json

import numpy as np
import pytest
from conftest import ONE, make_learner, stated
from grouped import backward, make_net, make_trainer

from gluon_lr import (
    FactorScheduler,
    LRFinder,
    LRFinderResult,
    ParamScheduler,
    Recorder,
    SchedLin,
    StopReason,
    one_cycle,
)
from gluon_lr._mxnet import mx


@pytest.mark.parametrize("plot", ["plot_loss", "plot_sched"])
def test_there_is_nothing_to_draw_before_the_first_update(plot):
    with pytest.raises(RuntimeError, match=r"no updates to draw yet.* learner\.fit_one_cycle"):
        getattr(Recorder(make_trainer(make_net())), plot)()


def recorded(groups=None, updates=12):
    """Record a plain loop, as a user without the Learner writes it."""
    net = make_net()
    trainer = make_trainer(net, momentum=0.9, wd=0.25)
    groups = groups and list(net)
    scheduler = ParamScheduler(one_cycle(1.0), trainer, length=updates, groups=groups)
    recorder = Recorder(trainer, groups)
    for n in range(1, updates + 1):
        scheduler.step(n)
        backward(net, ONE, n % 4)
        trainer.step(16)
        recorder.record(loss=1 / n)
        if n % 4 == 0:
            recorder.end_epoch(train_loss=1 / n, valid_loss=2 / n, time=61.5)
    return recorder


def test_a_plain_loop_is_recorded():
    recorder = recorded()
    positions = np.arange(12) / 12
    np.testing.assert_allclose(recorder.hps["lr"], one_cycle(1.0)["lr"](positions), rtol=1e-14)
    np.testing.assert_allclose(recorder.hps["mom"], one_cycle(1.0)["mom"](positions), rtol=1e-14)
    assert set(recorder.hps) == {"lr", "wd", "mom"}
    assert recorder.hps["wd"].tolist() == [0.25] * 12
    assert recorder.losses.tolist() == [1 / n for n in range(1, 13)]
    assert len(recorder) == 12
    assert recorder.lrs.shape == (12,)


def test_losses_are_read_late():
    class Loss:
        read = 0

        def __float__(self):
            Loss.read += 1
            return 1.0

    recorder = Recorder(make_trainer(make_net()))
    for expected in (0, 0, 1, 2):
        recorder.record(Loss())
        assert Loss.read == expected
    assert len(recorder) == 4
    assert recorder.last_loss == 1
    assert recorder.losses.tolist() == [1.0] * 4


def test_a_recorder_sees_the_groups_that_others_made():
    net = make_net()
    trainer = make_trainer(net, momentum=0.9)
    scheds = {
        "lr": [SchedLin(1, 2), SchedLin(2, 3), SchedLin(3, 4)],
        "mom": [SchedLin(0.1, 1), SchedLin(0.2, 1), SchedLin(0.3, 1)],
    }
    ParamScheduler(scheds, trainer, length=4, groups=list(net)).step(1)
    by_three, by_two = Recorder(trainer, list(net)), Recorder(trainer, [list(net)[:2], net[2]])
    for recorder in (by_three, by_two):
        recorder.record(0.0)
    np.testing.assert_allclose(by_three.group_hps["lr"], [[1, 2, 3]], rtol=1e-15)
    np.testing.assert_allclose(by_three.group_hps["mom"], [[0.1, 0.2, 0.3]])
    np.testing.assert_allclose(by_two.group_hps["lr"], [[1, 3]], rtol=1e-15)


def test_tables_as_csv_read_back_to_the_same_numbers():
    recorder = recorded(groups=True)
    rows = list(csv.DictReader(io.StringIO(recorder.to_csv())))
    assert [int(row["iteration"]) for row in rows] == list(range(1, 13))
    np.testing.assert_array_equal([float(row["loss"]) for row in rows], recorder.losses)
    for group in range(3):
        column = [float(row[f"lr_{group}"]) for row in rows]
        np.testing.assert_array_equal(column, recorder.group_hps["lr"][:, group])
    epochs = list(csv.DictReader(io.StringIO(recorder.to_csv("epochs"))))
    assert [row["epoch"] for row in epochs] == ["0", "1", "2"]
    assert float(epochs[2]["valid_loss"]) == 2 / 12
    assert next(csv.reader(io.StringIO(recorded().to_csv()))) == [
        "iteration",
        "loss",
        "lr",
        "wd",
        "mom",
    ]
    with pytest.raises(ValueError, match="`of` must be one of 'updates', 'epochs'"):
        recorder.to_csv("iterations")


def test_json_has_all_of_it_and_its_data_goes_back():
    recorder = recorded(groups=True)
    data = json.loads(recorder.to_json())
    assert data["epochs"] == recorder.epochs
    assert data["losses"] == recorder.losses.tolist()
    assert data["hps"]["mom"] == recorder.group_hps["mom"].tolist()
    again = recorded(groups=True, updates=4)
    again.take_data(recorder.as_data())
    np.testing.assert_array_equal(again.losses, recorder.losses)
    np.testing.assert_array_equal(again.group_hps["mom"], recorder.group_hps["mom"])
    again.record(0.5)
    assert len(again) == 13
    assert again.to_csv("epochs") == recorder.to_csv("epochs")


def test_it_prints_well():
    recorder = recorded()
    assert repr(recorder).splitlines()[:2] == [
        "Recorder(12 updates, 3 epochs)",
        "     epoch  train_loss  valid_loss        time",
    ]
    assert repr(recorder).splitlines()[2].split() == ["0", "0.250000", "0.500000", "01:01"]
    html = recorder._repr_html_()
    assert html.startswith("<p>Recorder(12 updates, 3 epochs)</p><table><tr><th>epoch</th>")
    assert html.count("<tr>") == 4
    assert repr(Recorder(make_trainer(make_net()))) == "Recorder(0 updates, 0 epochs)"


def test_losses_are_drawn_with_the_validation():
    ax = recorded().plot_loss(skip_start=2)
    points, smoothed, validation = ax.get_lines()
    assert points.get_xdata().tolist() == list(range(3, 13))
    assert len(smoothed.get_ydata()) == 10
    assert validation.get_xdata().tolist() == [4, 8, 12]
    assert validation.get_ydata().tolist() == [2 / 4, 2 / 8, 2 / 12]
    assert ax.get_title() == "Lowest validation loss: 0.167, epoch 2"
    without = recorded().plot_loss(with_valid=False)
    assert len(without.get_lines()) == 2
    assert without.get_title().startswith("Training loss at the end: 0.")


def test_hyper_parameters_that_moved_are_drawn():
    axes = recorded().plot_sched()
    assert [ax.get_ylabel() for ax in axes] == ["lr", "mom"]
    (one,) = recorded().plot_sched(keys=["wd"], figsize=(3, 2))
    assert one.get_lines()[0].get_ydata().tolist() == [0.25] * 12
    with pytest.raises(ValueError, match="`keys` must be one of 'lr', 'wd', 'mom', got 'eps'"):
        recorded().plot_sched(keys=["eps"])


def test_a_search_is_drawn_as_fastai_does():
    recorder = recorded()
    with pytest.raises(RuntimeError, match=r"Call learner.lr_find\(\)"):
        recorder.plot_lr_find()
    lrs = np.geomspace(1e-7, 10, 100)
    losses = 2.3 - 2 / (1 + (0.01 / lrs) ** 2) + lrs**2
    recorder.search = LRFinderResult(lrs, losses, StopReason.REACHED_END)
    (line,) = recorder.plot_lr_find().get_lines()
    np.testing.assert_array_equal(line.get_xdata(), lrs[:-5])
    line, dot = recorder.plot_lr_find(skip_start=10, skip_end=0, suggestion=True).get_lines()
    np.testing.assert_array_equal(line.get_xdata(), lrs[10:])
    assert dot.get_color() == "red"
    assert dot.get_xdata()[0] == recorder.min_grad_lr
    with pytest.raises(ValueError, match="`skip_end` must be an integer of at least 0"):
        recorder.plot_lr_find(skip_end=-1)


def test_iterations_of_a_learner_are_recorded_and_searches_are_not():
    schedule = FactorScheduler(1, 0.5, base_lr=0.8)
    learner = make_learner(
        trainer=lambda net: mx.gluon.Trainer(
            net.collect_params(), "sgd", stated("sgd", {"lr_scheduler": schedule})
        )
    )
    losses = [learner.iteration(), learner.iteration(lr=0.01)]
    LRFinder(learner).find(num_iter=20, progress=False)
    losses.append(learner.iteration())
    learner.iteration(take_step=False)
    assert learner.recorder.lrs.tolist() == [0.8, 0.01, 0.2]
    assert learner.recorder.losses.tolist() == losses


def test_what_has_no_value_is_nan():
    recorder = Recorder(make_trainer(make_net()), keys=["clip_gradient"])
    recorder.record(0.5)
    assert np.isnan(recorder.hps["clip_gradient"]).all()


def test_bad_keys_are_refused():
    with pytest.raises(ValueError, match="of SGD: one of lr"):
        Recorder(make_trainer(make_net()), keys=["beta1"])
