"""The rule of a race, on losses that are known."""

import math
from collections import Counter

import numpy as np
import pytest

from gluon_lr.finder.race import Runner, fewest_updates_of, race, updates_of

LENGTH = 400


class Valley:
    """Trainings whose losses are a parabola over the rate, and a little chance."""

    def __init__(self, lowest, best=0.1, scatter=0.0, falls_with_length=0.0):
        self.lowest, self.best, self.scatter = lowest, best, scatter
        self.falls = falls_with_length
        self.spent = Counter()
        self.orders = []

    def measure(self, rate, updates, order):
        self.spent[updates] += 1
        if updates == LENGTH:
            self.orders.append(order)
        chance = np.random.RandomState(order + int(1e6 * self.lowest)).standard_normal()
        away = math.log10(rate / self.best)
        return self.lowest + self.falls * (1 - updates / LENGTH) + away**2 + self.scatter * chance

    def runner(self):
        return Runner(self.measure, lambda updates: 0.3, 5.0, LENGTH)


def run(valleys, budget=None):
    budget = updates_of(len(valleys), LENGTH) if budget is None else budget
    return race([one.runner() for one in valleys], budget / LENGTH, passes=3)


@pytest.mark.parametrize("best", [0.03, 0.1, 1.0])
def test_the_lowest_comes_to_the_end_at_its_rate(best):
    valleys = [Valley(lowest, best, 0.01) for lowest in (0.5, 0.3, 0.4, 0.9, 0.8)]
    finishes = run(valleys)
    ended = [n for n, one in enumerate(finishes) if not one.dropped]
    assert 1 in ended
    assert min(ended, key=lambda n: np.mean(finishes[n].losses)) == 1
    assert abs(math.log10(finishes[1].found.rate / best)) < 0.5
    assert all(finishes[n].dropped for n in (3, 4))


def test_what_is_alike_comes_to_the_end_together():
    finishes = run([Valley(0.5, scatter=0.1), Valley(0.5, scatter=0.1)])
    assert [one.dropped for one in finishes] == [False, False]


def test_finalists_train_in_the_same_orders():
    valleys = [Valley(0.5, scatter=0.3) for _ in range(3)]
    run(valleys)
    assert {tuple(one.orders) for one in valleys} == {(0, 0, 1, 2)}


def test_the_race_ends_when_one_is_left():
    valleys = [Valley(lowest, scatter=0.001) for lowest in (0.2, 1.0, 1.5)]
    finishes = run(valleys)
    assert [one.dropped for one in finishes][1:] in ([False, False], [True, True])
    assert sum(one.spent[LENGTH] for one in valleys) <= 3 * 4


@pytest.mark.parametrize("count", [2, 3, 9, 20])
@pytest.mark.parametrize("times", [1, 1.5, 2, 4])
def test_a_budget_is_kept_to(count, times):
    valleys = [Valley(0.5 + n / 100, scatter=0.5) for n in range(count)]
    budget = int(times * fewest_updates_of(count, LENGTH))
    finishes = run(valleys, budget)
    spent = sum(n * updates for one in valleys for updates, n in one.spent.items())
    assert spent <= budget
    assert sum(bool(one.losses) for one in finishes) >= min(count, 2)


def test_by_default_it_takes_three_quarters_of_a_training_a_setting_and_twelve():
    assert updates_of(9, LENGTH) == (0.25 + 9 * 0.75 + 12) * LENGTH
    assert updates_of(9, LENGTH) < 0.2 * 9 * 11 * LENGTH


def test_where_the_rate_of_short_trainings_is_too_high_a_far_lower_one_is_tried():
    rates = []

    def measure(rate, updates, order):
        if updates < LENGTH:
            return 2 + math.log10(rate / 1.0) ** 2
        rates.append(rate)
        return 4.0 if rate > 0.2 else 0.5

    runner = Runner(measure, lambda updates: 0.3, 5.0, LENGTH)
    finishes = race([runner, runner], 2 * (1 + 2))
    assert [one.losses for one in finishes] == [[0.5], [0.5]]
    assert rates[1] == pytest.approx(rates[0] / 10)
    assert [one.unsure for one in finishes] == [3.5, 3.5]


@pytest.mark.parametrize("loss", [9.0, math.inf, math.nan])
def test_what_never_learns_counts_as_before(loss):
    runner = Runner(lambda rate, updates, order: loss, lambda updates: 0.3, 5.0, LENGTH)
    finishes = race([runner, runner], updates_of(2, LENGTH) / LENGTH)
    assert {one for finish in finishes for one in finish.losses} == {5.0}


def test_a_short_training_has_scouts_of_8_updates_at_least():
    lengths = []

    def measure(rate, updates, order):
        lengths.append(updates)
        return 1.0

    runner = Runner(measure, lambda updates: 0.3, 5.0, 10)
    race([runner, runner], updates_of(2, 10) / 10)
    assert set(lengths) == {8, 10}
