"""The rule of a tune, on losses that are functions of the rate: no training is made."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gluon_lr._mxnet import mx
from gluon_lr.finder.climb import SHORTEST, Plan, Valley, climb, plan, vertex
from gluon_lr.finder.usual import around, decades_of_trials, passes_of, shift, usual_rate

BEGAN = 2.3


class Trainings:
    """Losses with a lowest point that falls with the length of a training; it notes the trials."""

    def __init__(self, best, length=1000, steep=1.0, diverges=math.inf, passes=None):
        self.best, self.length, self.steep = best, length, steep
        self.diverges, self.passes = diverges, passes
        self.made = []

    def measure(self, rate, updates):
        self.made.append((rate, updates))
        if rate > self.diverges:
            return math.nan
        best = self.best / shift(updates, self.length, self.passes)
        return 0.1 + self.steep * math.log10(rate / best) ** 2

    def climb(self, budget, keep=False, start=0.1):
        planned = plan(self.length, budget, keep)
        return climb(
            self.measure,
            BEGAN,
            lambda updates: start * shift(self.length, updates),
            self.length,
            planned,
            keep,
            self.passes,
        )

    @property
    def cost(self):
        return sum(updates for _, updates in self.made)


PLANS = {
    (250, 0, False): (0, 0, 0),
    (250, 220, False): (4, 55, 0),
    (250, 450, False): (4, 112, 0),
    (250, 700, False): (5, 125, 0),
    (250, 949, False): (6, 125, 0),
    (250, 950, False): (4, 50, 3),
    (250, 1350, False): (4, 62, 4),
    (250, 250, True): (0, 0, 1),
    (250, 450, True): (4, 50, 1),
    (250, 950, True): (4, 50, 3),
    (60, 53, False): (4, 13, 0),
    (10, 40, True): (0, 0, 3),
}


@pytest.mark.parametrize("asked", PLANS)
def test_what_a_budget_is_spent_on(asked):
    assert tuple(plan(*asked)) == PLANS[asked]


@given(st.integers(1, 5000), st.integers(0, 50_000), st.booleans())
def test_a_plan_is_within_its_budget(length, budget, keep):
    planned = plan(length, max(budget, length) if keep else budget, keep)
    spent = planned.scouts * planned.scout_length + planned.finals * length
    assert spent <= (max(budget, length) if keep else budget)
    assert planned.scouts == 0 or SHORTEST <= planned.scout_length <= length / 2
    assert planned.finals >= 1 or not keep
    assert planned.trials == planned.scouts + planned.finals


@settings(max_examples=60, deadline=None)
@given(st.floats(-1.7, -0.3), st.sampled_from([1000, 1900, 3800, 6000]), st.floats(0.2, 1))
def test_finds_the_lowest_point_of_a_parabola(log_best, budget, steep):
    trainings = Trainings(10**log_best, steep=steep)
    found = trainings.climb(budget)
    assert trainings.cost <= budget
    assert math.log10(found.rate) == pytest.approx(log_best, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.floats(-1.7, -0.3), st.sampled_from([1900, 3800, 6000]), st.floats(0.2, 1))
def test_keeps_a_trial_near_the_lowest_point(log_best, budget, steep):
    trainings = Trainings(10**log_best, steep=steep)
    found = trainings.climb(budget, keep=True)
    assert trainings.cost <= budget
    assert math.log10(found.rate) == pytest.approx(log_best, abs=0.2)


@settings(max_examples=60, deadline=None)
@given(st.floats(-1.9, -0.1), st.floats(0.5, 1.5), st.sampled_from([900, 1800, 3800, 6000]))
def test_rates_that_diverge_are_not_found(log_best, room, budget):
    trainings = Trainings(10**log_best, diverges=10 ** (log_best + room))
    found = trainings.climb(budget)
    assert math.log10(found.rate) <= log_best + room / 2 + 1e-6


def test_a_kept_rate_is_one_that_was_tried():
    trainings = Trainings(0.02)
    found = trainings.climb(6000, keep=True)
    tried = [rate for rate, updates in trainings.made if updates == 1000]
    assert found.rate in tried
    best = min(tried, key=lambda rate: trainings.measure(rate, 1000))
    assert found.rate == best


def test_no_trial_is_made_twice():
    trainings = Trainings(0.02)
    trainings.climb(20_000, keep=True)
    assert len(set(trainings.made)) == len(trainings.made)
    assert trainings.cost < 12_000  # it ends where all beside the best has been seen


def test_where_nothing_learns_the_lowest_rate_is_the_last():
    made = []

    def measure(rate, updates):
        made.append(rate)
        return math.inf

    found = climb(measure, BEGAN, lambda updates: 0.1, 100, Plan(4, 25, 3), keep=True)
    assert found.rate == min(made)
    assert len(made) == 7


def test_a_budget_of_nothing_says_where_to_start():
    found = climb(None, BEGAN, lambda updates: 0.1, 100, Plan(0, 0, 0))
    assert found.rate == pytest.approx(0.1)


def test_more_trials_mean_a_narrower_interval():
    decades = [Trainings(0.05).climb(budget).decades for budget in (0, 900, 1900, 3800, 6000)]
    assert decades == sorted(decades, reverse=True)
    assert decades[0] > decades[-1]


def test_of_equals_the_lowest_rate_is_the_best():
    valley = Valley(lambda rate, updates: 1.0, 10, BEGAN)
    for place in (0.0, -0.5, 0.5):
        valley.try_at(place)
    assert valley.points[valley.best][0] == -0.5


@pytest.mark.parametrize("points", [[(0, 1), (1, 0), (2, 1)], [(0, 3), (2, 0), (3, 0.5)]])
def test_the_vertex_is_that_of_the_parabola_within_half_the_way(points):
    a, b, _ = np.polyfit(*zip(*points), 2)
    low, high = (points[0][0] + points[1][0]) / 2, (points[1][0] + points[2][0]) / 2
    assert vertex(points) == pytest.approx(np.clip(-b / (2 * a), low, high))


def test_the_vertex_of_a_flat_bottom_is_its_middle():
    assert vertex([(0, 1), (1, 1), (2, 1)]) == 1


def test_a_longer_training_wants_a_lower_rate_and_more_so_by_more_passes():
    assert shift(250, 250) == 1
    assert shift(250, 1000) == pytest.approx(0.25 ** (1 / 3))
    assert shift(250, 1000, 3) == pytest.approx(0.25**0.2)
    assert shift(250, 1000, 30) == pytest.approx(0.25**0.55)
    assert shift(250, 1000, 1e6) == pytest.approx(0.25**0.9)
    assert shift(250, 1000, 1e-6) == pytest.approx(0.25**0.2)
    assert shift(1000, 250, 30) == pytest.approx(1 / shift(250, 1000, 30))


def test_usual_rates():
    create = mx.optimizer.create
    assert usual_rate(create("adam")) == 0.025
    assert usual_rate(create("sgd")) == 0.45
    assert usual_rate(create("sgd", momentum=0.9)) == 0.09
    assert usual_rate(create("adam"), 2000) == pytest.approx(0.0125)
    assert usual_rate(create("adadelta")) is None


def test_intervals():
    assert around(0.1, 1) == (pytest.approx(0.01), pytest.approx(1))
    assert decades_of_trials(25, 250, 100) == pytest.approx(0.3 + 0.4 * 2)
    assert decades_of_trials(25, 250, 1) == decades_of_trials(25, 250, 0.1) == 0.3


class Endless:
    def __iter__(self):
        return iter([])


@pytest.mark.parametrize(
    ("loader", "passes"), [([1, 2], 50), ([], None), (Endless(), None), (None, None)]
)
def test_passes_through_the_data(loader, passes):
    learner = type("Learner", (), {"data_loader": loader})()
    assert passes_of(learner, 100) == passes
