"""The schedule that listens: what it hears, what it keeps, and that a call changes nothing."""

import json
import math
import pickle

import numpy as np
import pytest

from gluon_lr import LinearWarmUp, PlateauScheduler, Schedule
from gluon_lr._mxnet import mx, nd


def reductions(schedule, metrics):
    """Return after which observations, counted from 1, the rate was reduced."""
    found = []
    for number, metric in enumerate(metrics, 1):
        before = schedule(1000)
        schedule.observe(metric)
        if schedule(1000) < before:
            found.append(number)
    return found


@pytest.mark.parametrize(
    ("settings", "metrics", "expected"),
    [
        ({"patience": 2}, [5, 4, 3, 2, 1], []),
        ({"patience": 2}, [1, 1, 1, 1, 1, 1, 1], [4, 7]),
        ({"patience": 0}, [1, 1, 1, 0.5, 0.6], [2, 3, 5]),
        ({"patience": 2}, [3, 4, 4, 2, 4, 4, 4], [7]),
        ({"patience": 1, "cooldown": 2}, [1, 1, 1, 1, 1, 1, 1], [3, 7]),
        ({"patience": 1, "cooldown": 2}, [1, 1, 1, 0.5, 0.5, 0.5, 0.5], [3, 7]),
        ({"patience": 1, "mode": "max"}, [0.5, 0.6, 0.6, 0.5, 0.7], [4]),
        ({"patience": 0, "mode": "max"}, [-3, -2, -2.5, -1], [3]),
        ({"patience": 0}, [-1, -2, -1.5, -3], [3]),
        ({"patience": 0, "threshold": 0.1}, [-10, -10.5, -11.5], [2]),
        ({"patience": 0, "threshold": 0.1}, [10, 9.5, 8.5], [2]),
        ({"patience": 1}, [math.nan, math.nan, math.nan], [2]),
        ({"patience": 0}, [1, math.nan, -math.inf, math.inf, 0.5], [2, 3, 4]),
    ],
)
def test_it_reduces_the_rate_when_the_metric_stops_improving(settings, metrics, expected):
    schedule = PlateauScheduler(factor=0.5, base_lr=1, **settings)
    assert reductions(schedule, metrics) == expected


def test_the_rate_is_base_lr_times_factors_down_to_the_floor():
    schedule = PlateauScheduler(0.1, patience=0, stop_factor_lr=0.05, base_lr=1, warmup_steps=4)
    assert [schedule(n) for n in (0, 2, 4, 99)] == [0, 0.5, 1, 1]
    for expected in (1, 0.1, 0.05, 0.05):
        schedule.observe(1)
        assert schedule(99) == expected
    assert schedule(2) == 0.5
    schedule.base_lr = 3
    assert schedule(4) == 0.05
    assert PlateauScheduler(base_lr=0.5, stop_factor_lr=2)(10) == 0.5


def test_calls_and_values_change_nothing():
    schedule = PlateauScheduler(0.5, patience=1, base_lr=1)
    schedule.observe(1)
    before = schedule.state
    schedule(10), schedule.values(range(100)), repr(schedule)
    assert schedule.state == before == {"best": 1, "waited": 0, "cooling": 0, "reductions": 0}
    schedule.state["best"] = -5
    assert schedule.state == before


def test_its_whole_state_goes_with_every_kind_of_copy():
    schedule = PlateauScheduler(0.5, patience=2, cooldown=1, base_lr=1)
    assert schedule.state is None
    for metric in (3, 2, 2, 2, 2, 2):
        schedule.observe(metric)
    copies = [
        pickle.loads(pickle.dumps(schedule)),
        Schedule.from_config(json.dumps(schedule.to_config())),
        PlateauScheduler(0.5, 2, cooldown=1, base_lr=1, state=schedule.state),
    ]
    for one in copies:
        assert one == schedule
    for metric in (2, 2, 1, 1, 1, 1, 1):
        for one in [schedule, *copies]:
            one.observe(metric)
    assert all(one == schedule for one in copies)
    assert schedule != PlateauScheduler(0.5, patience=2, cooldown=1, base_lr=1)


@pytest.mark.parametrize(
    "metric",
    [2, 2.0, np.float32(2), np.array(2.0), np.array([[2]]), nd.array([2]), nd.array([[2]])],
)
def test_a_metric_may_be_any_number_or_an_array_of_one(metric):
    schedule = PlateauScheduler()
    schedule.observe(metric)
    assert schedule.state["best"] == 2


@pytest.mark.parametrize("metric", [None, "1", True, [1], np.ones(2), nd.ones(2), 1j])
def test_anything_else_is_refused_and_changes_nothing(metric):
    schedule = PlateauScheduler()
    with pytest.raises(TypeError, match="PlateauScheduler: `metric` must be a number, got"):
        schedule.observe(metric)
    assert schedule.state is None


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"factor": 1.5}, ValueError, "`factor`"),
        ({"patience": -1}, ValueError, "`patience`"),
        ({"patience": 1.0}, TypeError, "`patience`"),
        ({"mode": "lower"}, ValueError, "one of 'min', 'max', got 'lower'"),
        ({"threshold": -1}, ValueError, "`threshold`"),
        ({"threshold_mode": "share"}, ValueError, "`threshold_mode` must be one of 'rel', 'abs'"),
        ({"cooldown": -1}, ValueError, "`cooldown`"),
        (
            {"state": {}},
            ValueError,
            "`state` must be the state of a PlateauScheduler, with best, wa",
        ),
        ({"state": 1}, ValueError, "`state`"),
        (
            {"state": {"best": math.nan, "waited": 0, "cooling": 0, "reductions": 0}},
            ValueError,
            r"`state\['best'\]`",
        ),
        (
            {"state": {"best": 1, "waited": -1, "cooling": 0, "reductions": 0}},
            ValueError,
            r"`state\['waited'\]`",
        ),
    ],
)
def test_bad_arguments_are_refused_at_construction(settings, error, message):
    with pytest.raises(error, match=f"PlateauScheduler: .*{message}"):
        PlateauScheduler(**settings)


def test_in_training_it_follows_what_the_user_tells_it():
    net = mx.gluon.nn.Dense(1)
    net.initialize()
    plateau = PlateauScheduler(0.5, patience=0, base_lr=0.1)
    schedule = LinearWarmUp(plateau, start_lr=0, length=2)
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"lr_scheduler": schedule})
    seen = []
    for metric in (3, 2, 2, 2):
        with mx.autograd.record():
            loss = net(nd.ones((4, 2))) ** 2
        loss.backward()
        trainer.step(4)
        seen.append(trainer.learning_rate)
        plateau.observe(metric)
    np.testing.assert_allclose(seen, [0.05, 0.1, 0.1, 0.05])


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(
    ("threshold_mode", "first", "second", "improves"),
    [
        ("rel", 10, 1.01, True),
        ("rel", 10, 0.99, False),
        ("abs", 10, 0.11, True),
        ("abs", 10, 0.09, False),
        ("rel", 0.01, 0.0011, True),
        ("abs", 0.01, 0.0011, False),
        ("abs", -10, 0.11, True),
        ("abs", 0, 0.09, False),
    ],
)
def test_a_threshold_is_a_share_of_the_best_or_a_difference(
    mode, threshold_mode, first, second, improves
):
    better = -second if mode == "min" else second
    schedule = PlateauScheduler(0.5, 0, mode, 0.1, base_lr=1, threshold_mode=threshold_mode)
    schedule.observe(first)
    schedule.observe(first + better)
    assert schedule.lr == (1 if improves else 0.5)
