"""The drop-ins against MXNet's own, called in order as MXNet's own need to be."""

import inspect
from itertools import product

import numpy as np
import pytest

from gluon_lr import (
    CosineScheduler,
    ExponentialScheduler,
    FactorScheduler,
    InverseSqrtScheduler,
    MultiFactorScheduler,
    PolyScheduler,
)
from gluon_lr._mxnet import mx

WARMUPS = [
    {},
    {"warmup_steps": 1},
    {"warmup_steps": 25, "warmup_begin_lr": 0.1},
    {"warmup_steps": 130, "warmup_begin_lr": 0.2, "warmup_mode": "constant"},
]

FACTOR = [
    dict(step=step, factor=factor, stop_factor_lr=stop, base_lr=base_lr, **warmup)
    for (step, factor, stop, base_lr), warmup in product(
        [
            (1, 0.99, 1e-8, 1),
            (10, 0.5, 1e-8, 1),
            (250, 0.1, 1e-2, 0.5),
            (7, 0.0, 1e-3, 2),
            (3, 1, 0, 0.3),
            (600, 0.9, 5, 1),
            (5000, 0.5, 1e-8, 1),
        ],
        WARMUPS,
    )
]
MULTI_FACTOR = [
    dict(step=step, factor=factor, base_lr=base_lr, **warmup)
    for (step, factor, base_lr), warmup in product(
        [
            ([250, 750, 900], 0.5, 1),
            ([1], 0.1, 0.5),
            ([1, 2, 3], 0.9, 0.4),
            ([1999, 2000, 2001], 0.0, 3),
            ([100, 1500], 1, 0.25),
        ],
        WARMUPS,
    )
]
POLY = [
    dict(max_update=max_update, pwr=pwr, final_lr=final_lr, base_lr=base_lr, **warmup)
    for (max_update, pwr, final_lr, base_lr), warmup in product(
        [
            (1000, 2, 0, 3),
            (131, 1, 0.1, 0.5),
            (1999, 0.5, 1e-4, 0.2),
            (5000, 3, 2, 0.3),
            (300, 0, 0, 1),
        ],
        WARMUPS,
    )
]
COSINE = [
    {name: value for name, value in settings.items() if name != "pwr"}
    for settings in POLY
    if settings["pwr"]
] + [
    {"max_update": 1, "base_lr": 1},
    {"max_update": 2, "base_lr": 1},
    {"max_update": 2000},
    {"max_update": 7},
]

CASES = [
    (ours, theirs, settings)
    for ours, theirs, all_settings in [
        (FactorScheduler, mx.lr_scheduler.FactorScheduler, FACTOR),
        (MultiFactorScheduler, mx.lr_scheduler.MultiFactorScheduler, MULTI_FACTOR),
        (PolyScheduler, mx.lr_scheduler.PolyScheduler, POLY),
        (CosineScheduler, mx.lr_scheduler.CosineScheduler, COSINE),
    ]
    for settings in all_settings
]


@pytest.mark.parametrize("all_settings", [FACTOR, MULTI_FACTOR, POLY, COSINE])
def test_each_drop_in_is_compared_over_at_least_20_settings(all_settings):
    assert len(all_settings) >= 20


@pytest.mark.parametrize(("ours", "theirs", "settings"), CASES)
def test_equals_mxnets_own_called_in_order(ours, theirs, settings):
    schedule, reference = ours(**settings), theirs(**settings)
    expected = [reference(n) for n in range(2001)]
    np.testing.assert_allclose([schedule(n) for n in range(2001)], expected, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize(("ours", "theirs", "settings"), CASES[::5])
def test_the_same_rate_in_any_order(ours, theirs, settings):
    schedule = ours(**settings)
    in_order = [schedule(n) for n in range(2001)]
    shuffled = np.random.RandomState(0).permutation(2001)
    assert [schedule(int(n)) for n in shuffled] == [in_order[n] for n in shuffled]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (FactorScheduler(10, 0.5, base_lr=1, warmup_steps=25), {24: 0.96, 25: 0.25}),
        (
            PolyScheduler(1000, base_lr=3, pwr=2, warmup_steps=100),
            {99: 2.97, 101: 2.9933370370370374, 500: 0.925925925925926, 1001: 0},
        ),
        (
            CosineScheduler(1000, base_lr=3, final_lr=0.1),
            {1: 2.9999928445426947, 250: 2.575304832720494, 1001: 0.1},
        ),
        (FactorScheduler(10, 0.1, base_lr=1), {1: 1.0, 10: 1.0, 11: 0.1, 1000: 1e-8}),
        (PolyScheduler(100, base_lr=1), {101: 0}),
    ],
)
def test_measured_values(schedule, expected):
    actual = [schedule(n) for n in expected]
    np.testing.assert_allclose(actual, list(expected.values()), rtol=1e-12)


@pytest.mark.parametrize(
    ("schedule", "boundary", "expected"),
    [
        (FactorScheduler(10, 0.5, base_lr=1), 10, [1, 1, 0.5]),
        (FactorScheduler(10, 0.5, base_lr=1), 20, [0.5, 0.5, 0.25]),
        (FactorScheduler(10, 0.5, 0.3, base_lr=1), 20, [0.5, 0.5, 0.3]),
        (FactorScheduler(10, 0.5, base_lr=1, warmup_steps=4), 4, [0.75, 1, 1]),
        (FactorScheduler(2, 0.5, base_lr=1, warmup_steps=4), 4, [0.75, 0.5, 0.25]),
        (MultiFactorScheduler([10, 11], 0.5, base_lr=1), 10, [1, 1, 0.5]),
        (MultiFactorScheduler([10, 11], 0.5, base_lr=1), 11, [1, 0.5, 0.25]),
        (PolyScheduler(10, base_lr=1, pwr=1), 10, [0.1, 0, 0]),
        (PolyScheduler(10, base_lr=1, pwr=0, final_lr=0.5), 10, [1, 1, 1]),
        (PolyScheduler(12, base_lr=1, pwr=1, warmup_steps=2), 2, [0.5, 1, 0.9]),
        (CosineScheduler(2, base_lr=1, final_lr=0.5), 2, [0.75, 0.5, 0.5]),
        (CosineScheduler(4, 1, 0, 2, 0.25, "constant"), 2, [0.25, 1, 0.5]),
        (ExponentialScheduler(1, 0.5, base_lr=1, warmup_steps=2), 2, [0.5, 1, 0.5]),
        (ExponentialScheduler(1, 0.5, 0.3, base_lr=1), 2, [0.5, 0.3, 0.3]),
        (ExponentialScheduler(1, 0, 0, base_lr=1), 1, [1, 0, 0]),
        (InverseSqrtScheduler(4, base_lr=1), 4, [0.75, 1, 0.8**0.5]),
        (InverseSqrtScheduler(1, base_lr=1), 1, [0, 1, 0.5**0.5]),
    ],
)
def test_before_at_and_after_each_boundary(schedule, boundary, expected):
    counts = [boundary - 1, boundary, boundary + 1]
    np.testing.assert_allclose([schedule(n) for n in counts], expected, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(schedule.values(counts), expected, rtol=1e-12, atol=1e-16)


def test_the_inverse_square_root_is_the_transformers():
    d_model, warmup_steps = 512, 4000
    schedule = InverseSqrtScheduler(warmup_steps, base_lr=(d_model * warmup_steps) ** -0.5)
    for n in (1, 100, 3999, 4000, 4001, 10**5):
        expected = d_model**-0.5 * min(n**-0.5, n * warmup_steps**-1.5)
        assert schedule(n) == pytest.approx(expected, rel=1e-12)


def test_an_exponential_passes_through_the_steps_of_a_factor():
    steps = FactorScheduler(10, 0.7, base_lr=2)
    smooth = ExponentialScheduler(10, 0.7, base_lr=2)
    for n in range(0, 100, 10):
        assert smooth(n) == pytest.approx(steps(n + 1), rel=1e-12)


def test_a_stretch_at_hand_gives_no_answer_to_what_is_no_count():
    schedule = FactorScheduler(10, 0.5, base_lr=1)
    assert schedule(15) == 0.5
    for wrong in (True, "15", None, [15]):
        with pytest.raises(TypeError, match="`num_update` must be a finite number"):
            schedule(wrong)


def test_a_sparse_array_over_many_steps():
    schedule = FactorScheduler(1, 0.999999, base_lr=1)
    counts = [0, 10, 10**6, 10**7, 10**12]
    np.testing.assert_allclose(schedule.values(counts), [schedule(n) for n in counts], rtol=1e-12)


@pytest.mark.parametrize(
    "ours", [FactorScheduler, MultiFactorScheduler, PolyScheduler, CosineScheduler]
)
def test_arguments_are_mxnets_own(ours):
    def arguments(cls):
        return [(p.name, p.default) for p in inspect.signature(cls).parameters.values()]

    theirs = arguments(getattr(mx.lr_scheduler, ours.__name__))
    more = arguments(ours)[len(theirs) :]
    assert arguments(ours) == theirs + more
    assert more in ([], [("exponent", 1)])


def test_a_jump_to_the_end_and_back_leaves_no_trace():
    schedule = FactorScheduler(10, 0.1, base_lr=1)
    assert (schedule(1), schedule(1000), schedule(1)) == (1.0, 1e-8, 1.0)


@pytest.mark.parametrize(
    ("schedule", "before", "after"),
    [
        (FactorScheduler(10, 0.5), 15, 25),
        (MultiFactorScheduler([10], 0.5), 5, 25),
        (PolyScheduler(100), 5, 50),
        (CosineScheduler(100), 5, 50),
    ],
)
def test_assigning_base_lr_moves_the_whole_curve(schedule, before, after):
    small = schedule(before), schedule(after)
    schedule.base_lr = 2.0
    np.testing.assert_allclose((schedule(before), schedule(after)), np.array(small) * 200)


@pytest.mark.parametrize("wrong", [-1, float("nan"), "1", None])
def test_a_wrong_base_lr_is_refused_and_changes_nothing(wrong):
    schedule = FactorScheduler(10, 0.5, base_lr=1)
    with pytest.raises(
        (TypeError, ValueError), match="FactorScheduler: `base_lr` must be a finite"
    ):
        schedule.base_lr = wrong
    assert (schedule.base_lr, schedule(11)) == (1, 0.5)


def test_the_warm_up_climbs_to_an_assigned_base_lr():
    schedule = FactorScheduler(100, base_lr=0.01, warmup_steps=10)
    schedule.base_lr = 1.0
    np.testing.assert_allclose([schedule(9), schedule(10)], [0.9, 1.0])
    assert schedule.warmup_final_lr == 1.0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: FactorScheduler(0),
            ValueError,
            "FactorScheduler: `step` must be a finite number above 0, got 0.",
        ),
        (lambda: FactorScheduler(True), TypeError, "`step` must be a finite number"),
        (lambda: FactorScheduler(10, 1.5), ValueError, "`factor` must be a finite number from 0"),
        (lambda: FactorScheduler(10, base_lr=float("nan")), ValueError, "`base_lr`"),
        (lambda: FactorScheduler(10, base_lr="1"), TypeError, "`base_lr`"),
        (lambda: FactorScheduler(10, warmup_steps="2"), TypeError, "`warmup_steps`"),
        (lambda: FactorScheduler(10, warmup_steps=-1), ValueError, "`warmup_steps`"),
        (lambda: FactorScheduler(10, warmup_begin_lr=1), ValueError, "Increase `base_lr` or"),
        (lambda: FactorScheduler(10, warmup_mode="cubic"), ValueError, "'linear', 'constant'"),
        (lambda: MultiFactorScheduler([]), ValueError, "`step` must be a rising, non-empty list"),
        (lambda: MultiFactorScheduler([5, 5]), ValueError, "rising"),
        (lambda: MultiFactorScheduler(5), TypeError, "got 5"),
        (lambda: MultiFactorScheduler([0, 5]), ValueError, "above 0, got 0"),
        (lambda: PolyScheduler(10, warmup_steps=10), ValueError, "`max_update` .* above warmup_"),
        (lambda: PolyScheduler(10, pwr=-1), ValueError, "`pwr`"),
        (lambda: CosineScheduler(0), ValueError, "`max_update`"),
        (lambda: CosineScheduler(2**63), ValueError, "`max_update` must be a number below 2.63"),
        (lambda: CosineScheduler(10, base_lr=10**400), ValueError, "`base_lr` must be a finite"),
        (lambda: ExponentialScheduler(0, 0.5), ValueError, "ExponentialScheduler: `step`"),
        (lambda: ExponentialScheduler(1, 2), ValueError, "ExponentialScheduler: `factor`"),
        (lambda: InverseSqrtScheduler(0), ValueError, "`warmup_steps` must be .* above 0"),
        (lambda: CosineScheduler("10"), TypeError, "`max_update`"),
    ],
)
def test_bad_arguments_are_refused_at_construction(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_steps_may_be_a_tuple_and_are_the_schedules_own():
    steps = [10, 20]
    schedule = MultiFactorScheduler(steps, 0.5, base_lr=1)
    steps.append(30)
    assert schedule(31) == 0.25
    assert schedule == MultiFactorScheduler((10, 20), 0.5, base_lr=1)


def steps_with_an_interruption(cls, method, interrupt):
    """Return a schedule whose `method` lets another call come in between, once."""

    class Interrupted(cls):
        def _locate(self, n):
            return self.let_in("_locate", super()._locate(n))

        def _after(self, times):
            return self.let_in("_after", super()._after(times))

        def let_in(self, name, answer):
            waiting = vars(self).pop("waiting", None)
            if waiting and name == method:
                waiting(self)
            elif waiting:
                self.waiting = waiting
            return answer

    step = [10, 20] if cls is MultiFactorScheduler else 10
    schedule = Interrupted(step, 0.5, base_lr=1)
    schedule.waiting = interrupt
    return schedule


@pytest.mark.parametrize("method", ["_locate", "_after"])
@pytest.mark.parametrize("cls", [FactorScheduler, MultiFactorScheduler])
def test_a_base_lr_assigned_during_a_call_is_the_one_that_counts(cls, method):
    def assign(schedule):
        schedule.base_lr = 4

    schedule = steps_with_an_interruption(cls, method, assign)
    assert schedule(15) in (0.5, 2)
    assert [schedule(n) for n in (15, 14, 20, 5)] == [2, 2, 2, 4]


@pytest.mark.parametrize("method", ["_locate", "_after"])
@pytest.mark.parametrize("cls", [FactorScheduler, MultiFactorScheduler])
@pytest.mark.parametrize("other", [5, 15, 25])
def test_a_call_during_a_call_leaves_both_their_rates(cls, method, other):
    seen = []
    schedule = steps_with_an_interruption(cls, method, lambda one: seen.append(one(other)))
    expected = {5: 1, 15: 0.5, 25: 0.25}
    assert schedule(15) == 0.5
    assert seen == [expected[other]]
    assert {n: schedule(n) for n in expected} == expected


class Interrupted(float):
    """A number at whose comparison another call comes in between."""

    def __le__(self, other):
        answer = float(self) <= other
        self.let_in()
        return answer


@pytest.mark.parametrize("cls", [FactorScheduler, MultiFactorScheduler])
@pytest.mark.parametrize("other", [5, 25])
def test_a_stretch_that_another_call_replaces_is_read_as_a_whole(cls, other):
    schedule = cls([10, 20] if cls is MultiFactorScheduler else 10, 0.5, base_lr=1)
    assert schedule(15) == 0.5
    number = Interrupted(15)
    number.let_in = lambda: schedule(other)
    assert schedule._rate(number) == 0.5
