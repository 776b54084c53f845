"""What is told apart, and how often what is alike is."""

import math

import numpy as np
import pytest

from gluon_lr.finder import told_apart as told_apart_module
from gluon_lr.finder.told_apart import _studentized_range, told_apart


@pytest.mark.parametrize(
    ("values", "freedom", "published"),  # at 5 %: Harter, "Tables of Range and Studentized Range"
    [(2, 2, 6.08), (3, 4, 5.04), (3, 10, 3.88), (5, 20, 4.23), (9, 16, 5.03), (10, 60, 4.65)],
)
def test_the_studentized_range_is_that_of_the_tables(values, freedom, published, monkeypatch):
    monkeypatch.setattr(told_apart_module, "_SHARE", 0.05)
    assert _studentized_range.__wrapped__(values, freedom) == pytest.approx(published, rel=0.03)


@pytest.mark.parametrize(("values", "repeats"), [(2, 3), (3, 3), (9, 3), (3, 8)])
def test_what_is_alike_is_told_apart_in_1_case_of_20_at_most(values, repeats):
    draw = np.random.RandomState(0)
    batches = 10 * draw.standard_normal((1000, 1, repeats))  # which all values share
    cases = 3 + batches + draw.standard_normal((1000, values, repeats))
    found = np.mean([any(told_apart(case).apart) for case in cases])
    assert found <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)


def test_what_differs_by_much_is_told_apart():
    draw = np.random.RandomState(0)
    losses = 0.01 * draw.standard_normal((4, 3)) + [[0.5], [0.51], [0.9], [2.0]]
    apart, margin = told_apart(losses)
    assert apart == [False, False, True, True]
    assert 0.01 < margin < 0.4


def test_what_else_losses_may_be_off_by_is_added():
    losses = [[1.0, 1.1, 0.9], [2.0, 2.1, 1.9]]
    assert told_apart(losses).apart == [False, True]
    assert told_apart(losses, [0.3, 0.3]).apart == [False, True]
    assert told_apart(losses, [0.3, 0.8]).apart == [False, False]


def test_one_that_scatters_hides_no_other():
    steady = [[1.0, 1.01, 0.99], [1.2, 1.22, 1.19]]
    assert told_apart([*steady, [30.0, 90.0, 60.0]]).apart == [False, True, True]


def test_what_has_diverged_is_above_all():
    diverged = [1.0, math.inf, 1.0]
    apart = told_apart([diverged, [2.0, 2.0, 2.1], [2.0, 2.1, 2.0]]).apart
    assert apart == [True, False, False]
    assert told_apart([diverged, [2.0, 2.0, 2.1]]) == ([True, False], None)
    assert told_apart([diverged, diverged]) == ([False, False], None)


@pytest.mark.parametrize("losses", [[[1.0], [2.0]], [[1.0, 1.0], [2.0, 2.0]], [[1.0, 2.0]]])
def test_without_repeats_that_differ_nothing_is_known(losses):
    assert told_apart(losses) == ([False] * len(losses), None)
