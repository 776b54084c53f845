"""What the tests of MXNet's, optax's and torch's schedules expect, in our schedules."""

import math

import numpy as np
import pytest

from gluon_lr import (
    ConstantSchedule,
    ConstantWarmUp,
    CosineAnnealingSchedule,
    CosineScheduler,
    CyclicalSchedule,
    ExponentialScheduler,
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

MXNETS = {
    "FactorScheduler": {"step": 100, "factor": 0.1},
    "MultiFactorScheduler": {"step": [15, 25], "factor": 0.1},
    "PolyScheduler": {"max_update": 1000, "pwr": 2},
    "CosineScheduler": {"max_update": 1000},
}
OURS = {
    "FactorScheduler": FactorScheduler,
    "MultiFactorScheduler": MultiFactorScheduler,
    "PolyScheduler": PolyScheduler,
    "CosineScheduler": CosineScheduler,
}


@pytest.mark.parametrize("name", MXNETS)
@pytest.mark.parametrize("warm_up", [{}, {"warmup_steps": 10, "warmup_begin_lr": 0.5}])
@pytest.mark.parametrize("mode", ["linear", "constant"])
def test_mxnets_schedules_and_warm_ups_walked(name, warm_up, mode):
    arguments = {**MXNETS[name], "base_lr": 3, "warmup_mode": mode, **warm_up}
    own, ours = getattr(mx.lr_scheduler, name)(**arguments), OURS[name](**arguments)
    walked = [own(n) for n in range(1101)]
    np.testing.assert_allclose([ours(n) for n in range(1101)], walked, rtol=1e-12)


@pytest.mark.parametrize("name", ["PolyScheduler", "CosineScheduler"])
def test_mxnets_finite_decays_begin_at_the_base_and_end_at_the_final_rate(name):
    schedule = OURS[name](1000, base_lr=3, final_lr=0.1, warmup_steps=30, warmup_begin_lr=0)
    assert schedule(0) == 0
    assert schedule(15) == 1.5
    assert schedule(30) == 3
    assert 0.1 < schedule(500) < 3
    assert schedule(1000) == schedule(10**6) == 0.1


OPTAX = [
    ("a constant", ConstantSchedule(0.3), lambda n: 0.3),
    ("a line, then flat", PolyScheduler(10, 1, 1, 0.2), lambda n: 0.2 + 0.8 * max(1 - n / 10, 0)),
    ("a line up", LinearWarmUp(ConstantSchedule(1), 0.2, 10), lambda n: min(0.2 + 0.08 * n, 1)),
    (
        "a line after a wait",
        ConstantSchedule(1).then(PolyScheduler(10, 1, 1), after=5),
        lambda n: min(max((15 - n) / 10, 0), 1),
    ),
    ("a power", PolyScheduler(10, 1, 3, 0.1), lambda n: 0.1 + 0.9 * max(1 - n / 10, 0) ** 3),
    ("an exponential", ExponentialScheduler(4, 0.5, 0, base_lr=1), lambda n: 0.5 ** (n / 4)),
    (
        "an exponential with an end value",
        ExponentialScheduler(4, 0.5, 0.1, base_lr=1),
        lambda n: max(0.5 ** (n / 4), 0.1),
    ),
    (
        "a cosine with a floor of a share alpha",
        CosineScheduler(10, base_lr=2, final_lr=2 * 0.3),
        lambda n: 2 * (0.7 * (1 + math.cos(math.pi * min(n / 10, 1))) / 2 + 0.3),
    ),
    (
        "a warm-up, then a cosine",
        LinearWarmUp(CosineScheduler(10, base_lr=1), 0, 5),
        lambda n: n / 5 if n < 5 else (1 + math.cos(math.pi * min((n - 5) / 10, 1))) / 2,
    ),
    (
        "pieces with boundaries and scales",
        MultiFactorScheduler([3, 6, 9], 0.5, base_lr=1),
        lambda n: 0.5 ** sum(n > step for step in (3, 6, 9)),
    ),
    (
        "schedules joined",
        ConstantSchedule(1).then(ConstantSchedule(2), 3).then(ConstantSchedule(3), 6),
        lambda n: 1 + (n > 3) + (n > 6),
    ),
    (
        "cosine cycles (SGDR)",
        CyclicalSchedule(CosineAnnealingSchedule, 5, min_lr=0, max_lr=1),
        lambda n: (1 + math.cos(math.pi * (n % 5) / 5)) / 2,
    ),
    (
        "a line up, down, and to the end (one cycle)",
        OneCycleSchedule(0.1, 1, 10, 10, 0),
        lambda n: np.interp(n, [0, 5, 10, 20], [0.1, 1, 0.1, 0]),
    ),
]


@pytest.mark.parametrize(("name", "schedule", "formula"), OPTAX)
def test_optaxs_formulas(name, schedule, formula):
    expected = [formula(n) for n in range(40)]
    np.testing.assert_allclose([schedule(n) for n in range(40)], expected, atol=1e-12)


@pytest.mark.parametrize("steps", [0, -1])
def test_optaxs_decays_of_no_steps_are_refused(steps):
    for make in (PolyScheduler, CosineScheduler, lambda n: TriangularSchedule(0, 1, n)):
        with pytest.raises(ValueError, match="must be a finite number above 0"):
            make(steps)


TORCHS_BY_EPOCH = [
    ("StepLR", FactorScheduler(3, 0.1, 0, base_lr=1), lambda t: 0.1 ** (t // 3)),
    (
        "MultiStepLR",
        MultiFactorScheduler([2, 5, 9], 0.1, base_lr=1),
        lambda t: 0.1 ** sum(t >= step for step in (2, 5, 9)),
    ),
    ("ConstantLR", ConstantWarmUp(ConstantSchedule(1), 0.5, 5), lambda t: 0.5 if t < 5 else 1),
    (
        "SequentialLR",
        ConstantSchedule(0.1).then(ConstantSchedule(1), 4),
        lambda t: 0.1 if t < 4 else 1,
    ),
]
TORCHS_BY_UPDATE = [
    ("PolynomialLR", PolyScheduler(8, 1, 2), {0: 1, 4: 0.25, 8: 0, 20: 0}),
    (
        "CosineAnnealingWarmRestarts",
        CyclicalSchedule(CosineAnnealingSchedule, 4, 2, min_lr=0.1, max_lr=1),
        {0: 1, 2: 0.55, 4: 1, 8: 0.55, 12: 1},
    ),
    (
        "CyclicLR",
        CyclicalSchedule(TriangularSchedule, 8, min_lr=0.1, max_lr=1),
        {0: 0.1, 4: 1, 8: 0.1, 10: 0.55, 12: 1},
    ),
]


@pytest.mark.parametrize(("name", "schedule", "formula"), TORCHS_BY_EPOCH)
def test_torchs_steps_where_its_epoch_t_is_our_update_t_plus_1(name, schedule, formula):
    expected = [formula(t) for t in range(12)]
    np.testing.assert_allclose([schedule(t + 1) for t in range(12)], expected, atol=1e-12)


@pytest.mark.parametrize(("name", "schedule", "expected"), TORCHS_BY_UPDATE)
def test_torchs_curves_where_its_epoch_t_is_our_update_t(name, schedule, expected):
    np.testing.assert_allclose([schedule(n) for n in expected], [*expected.values()], atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "metrics", "expected"),
    [
        ({"patience": 5}, [10 - i / 10 for i in range(20)], 1),
        ({"patience": 5}, [1] * 7, 0.1),
        ({"patience": 5, "cooldown": 3}, [1] * 16, 0.01),
        ({"patience": 3, "mode": "max"}, [i / 10 for i in range(20)], 1),
        ({"patience": 3, "mode": "max"}, [5, 4, 3, 2, 1], 0.1),
        ({"patience": 0, "stop_factor_lr": 0.05}, [1] * 9, 0.05),
        ({"patience": 2, "threshold": 0.1}, [1, 0.95, 0.95, 0.95], 0.1),
    ],
)
def test_torchs_plateaus(settings, metrics, expected):
    schedule = PlateauScheduler(factor=0.1, base_lr=1, **settings)
    for metric in metrics:
        schedule.observe(metric)
    assert schedule.lr == schedule(1) == pytest.approx(expected)


def test_a_cool_down_goes_on_from_where_the_curve_is():
    schedule = LinearCoolDown(CosineScheduler(100, base_lr=1), 0, 50, 10)
    assert [schedule(n) for n in (50, 55, 60, 61)] == pytest.approx([0.5, 0.25, 0, 0])
