"""Arguments assigned after construction: as the constructor takes them, or refused."""

import copy
import inspect
import math
import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_strategies import assert_same_rates, schedules

import gluon_lr
from gluon_lr import (
    ConstantSchedule,
    CoolDown,
    CosineAnnealingSchedule,
    CosineScheduler,
    CyclicalSchedule,
    EpochSchedule,
    FactorScheduler,
    LinearCoolDown,
    LinearWarmUp,
    MultiFactorScheduler,
    OneCycleSchedule,
    PlateauScheduler,
    PolyScheduler,
    TriangularSchedule,
)
from gluon_lr._mxnet import mx
from gluon_lr.schedules.text import NAMES

COUNTS = [0, 1, 3, 5, 6, 8, 10, 12, 13, 20, 40, 100]
STATE = {"best": 1.0, "waited": 0, "cooling": 0, "reductions": 2}
VALUES = [
    *(0, 0.25, 0.75, 2, 7, 12.5, 300, -1, math.nan, True, None, np.float32(0.5), np.int64(9)),
    *("linear", "constant", "min", "max", "square", "rel", "abs"),
    *([3, 8.5], np.array([4, 30]), STATE, -0.5),
    *(ConstantSchedule(0.3), mx.lr_scheduler.PolyScheduler(20, base_lr=0.5), abs),
    *(CosineAnnealingSchedule, TriangularSchedule),
]


def made_anew(schedule, name, value):
    """Return the schedule that the constructor makes with another argument."""
    arguments = {
        one: getattr(schedule, one) for one in inspect.signature(type(schedule)).parameters
    }
    arguments.update(arguments.pop("kwargs", {}))
    return type(schedule)(**{**arguments, name: value})


def rates_of(schedule):
    """Return the rates at some iterations; none of a schedule in shares of a training."""
    try:
        return [schedule(n) for n in COUNTS]
    except ValueError:
        return None


def assign_or_see_refused(schedule, name, value):
    """Check an assignment against the constructor, and say whether it was taken."""
    before = repr(schedule), rates_of(schedule)
    try:
        expected = made_anew(schedule, name, value)
    except (TypeError, ValueError) as error:
        with pytest.raises(type(error), match=re.escape(str(error))):
            setattr(schedule, name, value)
        assert (repr(schedule), rates_of(schedule)) == before
        return False
    setattr(schedule, name, value)
    assert schedule == expected
    rates = rates_of(expected)
    for one in (schedule, pickle.loads(pickle.dumps(schedule))):
        assert one == expected
        assert repr(one) == repr(expected)
        assert rates_of(one) == rates
    if rates is not None:
        assert_same_rates(schedule.values(COUNTS), rates)
    return True


def arguments_of(schedule):
    named = {*inspect.signature(type(schedule)).parameters, *vars(schedule).get("kwargs", {})}
    return sorted(named - {"kwargs", "base_lr"})


@settings(max_examples=60, deadline=None)
@given(schedules(), st.data())
def test_an_assigned_argument_is_that_of_a_new_schedule_or_is_refused(schedule, data):
    for _ in range(3):
        name = data.draw(st.sampled_from(arguments_of(schedule)))
        assign_or_see_refused(schedule, name, data.draw(st.sampled_from(VALUES)))


ONES = {
    "ClippedSchedule": CosineScheduler(20, base_lr=1).clip(0.1, 0.9),
    "ConstantSchedule": ConstantSchedule(0.4),
    "ConstantWarmUp": gluon_lr.ConstantWarmUp(CosineScheduler(20, base_lr=1), 0.1, 5),
    "CosineAnnealingSchedule": CosineAnnealingSchedule(0.1, 1, 20),
    "CosineScheduler": CosineScheduler(20, base_lr=1, warmup_steps=5),
    "CosineWarmUp": gluon_lr.CosineWarmUp(CosineScheduler(20, base_lr=1), 0.1, 5),
    "CyclicalSchedule": CyclicalSchedule(TriangularSchedule, 10, 2, 0.5, min_lr=0.1, max_lr=1),
    "ContinuedSchedule": CosineScheduler(20, base_lr=1).continued(at=10, to=30),
    "CoolDown": CoolDown(ConstantSchedule(1), 0.1, 5, 10, "cosine"),
    "EpochSchedule": EpochSchedule(CosineScheduler(20, base_lr=1), 4),
    "ExponentialScheduler": gluon_lr.ExponentialScheduler(5, 0.5, base_lr=1, warmup_steps=5),
    "FactorScheduler": FactorScheduler(5, 0.5, base_lr=1, warmup_steps=5),
    "InverseSqrtScheduler": gluon_lr.InverseSqrtScheduler(5, base_lr=1),
    "InverseTimeScheduler": gluon_lr.InverseTimeScheduler(5, base_lr=1, warmup_steps=5),
    "KDecaySchedule": gluon_lr.KDecaySchedule(CosineScheduler(20, base_lr=1), 20, 2),
    "LinearCoolDown": LinearCoolDown(ConstantSchedule(1), 0.1, 5, 10),
    "LinearWarmUp": LinearWarmUp(CosineScheduler(20, base_lr=1), 0.1, 5),
    "MaximumSchedule": CosineScheduler(20, base_lr=1).maximum(0.5),
    "MinimumSchedule": CosineScheduler(20, base_lr=1).minimum(0.5),
    "MultiFactorScheduler": MultiFactorScheduler([5, 9], 0.5, base_lr=1, warmup_steps=3),
    "OneCycleSchedule": OneCycleSchedule(0.1, 1, 10, 5, 0.01),
    "PiecewiseSchedule": gluon_lr.PiecewiseSchedule([3, 10], [1, 0.1], "linear"),
    "PlateauScheduler": PlateauScheduler(0.1, 3, base_lr=1, warmup_steps=5),
    "PolyScheduler": PolyScheduler(20, base_lr=1, warmup_steps=5),
    "PowerLawSchedule": gluon_lr.PowerLawSchedule(1, 2, -0.5),
    "ProductSchedule": CosineScheduler(20, base_lr=1) * TriangularSchedule(0, 1, 8),
    "REXSchedule": gluon_lr.REXSchedule(0.1, 1, 20),
    "ScaledSchedule": 0.5 * CosineScheduler(20, base_lr=1),
    "SequentialSchedule": ConstantSchedule(1).then(CosineScheduler(20, base_lr=1), 6),
    "ShiftedSchedule": CosineScheduler(20, base_lr=1).shifted(3),
    "SumSchedule": CosineScheduler(20, base_lr=1) + 0.1,
    "TriangularSchedule": TriangularSchedule(0.1, 1, 20),
    "WarmupStableDecaySchedule": gluon_lr.WarmupStableDecaySchedule(1, 3, 5, 8, "1-sqrt"),
}


def test_each_schedule_has_an_example():
    assert ONES.keys() == NAMES.keys()


@pytest.mark.parametrize(
    ("schedule", "name"), [(one, name) for one in ONES.values() for name in arguments_of(one)]
)
def test_each_argument_can_be_assigned(schedule, name):
    taken = []
    for value in VALUES:
        changed = copy.copy(schedule)
        if assign_or_see_refused(changed, name, value) and changed != schedule:
            taken.append(changed)
    assert taken


def test_the_tutorials_names_are_assigned_too():
    schedule = CyclicalSchedule(TriangularSchedule, 10, min_lr=0, max_lr=1)
    schedule.length, schedule.length_decay, schedule.magnitude_decay = 20, 2, 0.5
    assert schedule == CyclicalSchedule(TriangularSchedule, 20, 2, 0.5, min_lr=0, max_lr=1)
    assert (schedule.length, schedule.length_decay, schedule.magnitude_decay) == (20, 2, 0.5)
    schedule.kwargs = {"min_lr": 1, "max_lr": 3}
    assert [schedule(n) for n in (0, 10, 20, 40)] == [1, 3, 0.5, 1.5]
    with pytest.raises(ValueError, match="CyclicalSchedule: `cycle_length` must be"):
        schedule.length = 0


@pytest.mark.parametrize(
    ("schedule", "name"),
    [
        (LinearWarmUp(ConstantSchedule(1), 0, 5), "finish_lr"),
        (LinearCoolDown(ConstantSchedule(1), 0, 5, 10), "start_lr"),
        (LinearCoolDown(ConstantSchedule(1), 0, 5, 10), "finish_idx"),
        (OneCycleSchedule(0, 1, 10), "schedule"),
        (PlateauScheduler(0.5), "lr"),
    ],
)
def test_what_follows_from_the_arguments_is_read_only(schedule, name):
    before = [schedule(n) for n in COUNTS]
    message = (
        f"{type(schedule).__name__}: `{name}` is read-only, .* Assign to an argument instead: "
    )
    with pytest.raises(AttributeError, match=message):
        setattr(schedule, name, 2)
    assert [schedule(n) for n in COUNTS] == before


def test_what_follows_from_the_arguments_follows_them():
    cosine = CosineScheduler(20, base_lr=1)
    warm, cool = LinearWarmUp(cosine, 0, 5), LinearCoolDown(cosine, 0, 10, 4)
    assert (warm.finish_lr, cool.start_lr, cool.finish_idx) == (1, cosine(10), 14)
    cosine.base_lr, cool.length = 3, 5.5
    assert (warm.finish_lr, cool.start_lr, cool.finish_idx) == (3, cosine(10), 15.5)
    one_cycle = OneCycleSchedule(0.1, 0.5, 10)
    one_cycle.max_lr = 2
    assert one_cycle.schedule == LinearCoolDown(TriangularSchedule(0.1, 2, 10), 0.1, 10, 0)
    plateau = PlateauScheduler(0.5, patience=0, base_lr=1, warmup_steps=9)
    for loss in (1, 1):
        plateau.observe(loss)
    assert plateau.lr == plateau(9) == 0.5


def test_a_class_of_ones_own_may_assign_before_the_constructor_of_ours():
    class Early(PolyScheduler):
        def __init__(self, max_update):
            self.max_update, self.base_lr = 5, 3
            super().__init__(max_update, base_lr=1, pwr=1)

    schedule = Early(10)
    assert schedule(5) == 0.5
    schedule.max_update = 20
    assert schedule(10) == 0.5


def test_a_class_of_ones_own_over_ours_is_built_from_its_own_arguments():
    class InEpochs(CosineScheduler):
        def __init__(self, epochs):
            super().__init__(epochs * 10, base_lr=1)
            self.epochs = epochs
            self.max_update = 2 * self.max_update
            self.note = "mine"

    schedule = InEpochs(1)
    assert (schedule.max_update, schedule(10), schedule.note) == (20, 0.5, "mine")
    schedule.max_update = 10
    assert (schedule(5), schedule.note) == (0.5, "mine")
    with pytest.raises(ValueError, match="InEpochs: `max_update` must be"):
        schedule.max_update = 0
