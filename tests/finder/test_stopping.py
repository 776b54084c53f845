"""Criteria on losses that are written down."""

import numpy as np
import pytest

from gluon_lr import (
    AboveBest,
    AllOf,
    AnyOf,
    Diverged,
    LRFinderStoppingCriteria,
    MaxIterations,
    MaxLR,
    NotFinite,
    SearchState,
    StoppingCriterion,
)


def stops_at(criterion, losses, lrs=None):
    """Return the number of the iteration at which a criterion stops, None if it does not."""
    state = SearchState()
    for n, loss in enumerate(losses, start=1):
        state.append(lrs[n - 1] if lrs else 0.1 * n, loss)
        if criterion(state):
            return n
    return None


def tutorials(losses, **settings):
    criterion = LRFinderStoppingCriteria(**settings)
    return next((n for n, loss in enumerate(losses, start=1) if criterion(loss)), None)


@pytest.mark.parametrize(
    ("losses", "at"),
    [
        ([1] * 30 + [2.9] * 5, 33),  # 2.33, 2.73, 2.85: above 2 three times
        ([1] * 30 + [5] * 5, 31),  # 3.8: above 3
        ([1] + [9] * 50, 20),
        ([1] * 100, None),
        ([1 - n / 100 for n in range(99)], None),
        ([1] * 30 + [3] + [1] * 50, None),
        ([-3] * 50, None),
        ([-3] * 30 + [0.1] * 50, 35),
        ([-3] * 30 + [9] * 5, 31),
        ([0] * 30 + [0.1] * 5, 31),
    ],
)
def test_diverged(losses, at):
    assert stops_at(Diverged(smoothing=0.3, min_iter=20), losses) == at
    assert tutorials(losses, smoothing=0.3, min_iter=20) == at


def test_without_smoothing_the_loss_itself_counts():
    assert stops_at(Diverged(smoothing=0), [1] * 30 + [2, 3.01]) == 32


def test_not_before_min_iter():
    assert stops_at(Diverged(min_iter=5), [1] + [9] * 50) == 5
    assert stops_at(Diverged(min_iter=1), [1, 9]) == 2
    assert stops_at(Diverged(min_iter=60), [1] * 30 + [9] * 50) == 60


@pytest.mark.parametrize("seed", range(20))
def test_a_noisy_loss_that_starts_near_zero_does_not_stop_it(seed):
    random = np.random.RandomState(seed)
    losses = 0.05 * np.exp(random.randn(150))
    losses[0] = 0.001
    assert stops_at(Diverged(), losses) is None
    assert tutorials(losses) is None
    blow_up = np.r_[losses, 2.0 ** np.arange(10)]
    assert 150 < stops_at(Diverged(), blow_up) < 156


@pytest.mark.parametrize("times", [300, 20, 1e-3])
@pytest.mark.parametrize("at", range(10))
def test_one_outlying_loss_among_the_first_neither_stops_it_nor_hides_an_explosion(at, times):
    losses = 1 + 0.01 * np.random.RandomState(at).randn(60)
    losses[at] *= times
    assert stops_at(Diverged(), losses) is None
    assert stops_at(Diverged(), np.r_[losses, 2.0 ** np.arange(10)]) == 63


def test_the_rise_is_a_share_of_the_first_loss():
    rising = [1] * 30 + [1.4] * 5
    assert stops_at(Diverged(smoothing=0), rising) is None
    assert stops_at(Diverged(smoothing=0, rise=0.3), rising) == 33
    assert stops_at(Diverged(smoothing=0, rise=0.1), rising) == 31
    assert stops_at(Diverged(smoothing=0, rise=2), [1] * 30 + [2.9] * 9) is None
    assert stops_at(Diverged(smoothing=0, rise=0.3), [-10] * 30 + [-6] * 5) == 33


@pytest.mark.parametrize("told", ["losses", "a state"])
def test_the_tutorials_attributes(told):
    criterion = LRFinderStoppingCriteria(smoothing=0.5, min_iter=3)
    assert (criterion.first_loss, criterion.running_mean, criterion.counter) == (None, None, 0)
    state = SearchState()
    for loss in (4, 2, 1):
        state.append(0.1, loss)
        criterion(loss if told == "losses" else state)
    assert (criterion.first_loss, criterion.running_mean, criterion.counter) == (4, 2, 3)
    assert repr(criterion) == "LRFinderStoppingCriteria(0.5, 3)"
    criterion.smoothing, criterion.min_iter = 0, 5
    for loss, stops in ((1, False), (1000, True)):
        state.append(0.1, loss)
        assert criterion(loss if told == "losses" else state) is stops
        assert criterion.running_mean == loss


def test_above_best_is_fastais_threshold_with_a_factor():
    losses = [1.0] * 30 + [100.0] * 30
    debiased = [sum(0.98**i * losses[n - i] for i in range(n + 1)) for n in range(60)]
    debiased = [one / sum(0.98**i for i in range(n + 1)) for n, one in enumerate(debiased)]
    for factor in (1.5, 4, 20):
        expected = next(n for n, one in enumerate(debiased, start=1) if one > factor)
        assert stops_at(AboveBest(factor), losses) == expected
    assert repr(AboveBest()) == "AboveBest(4.0)"


def test_a_criterion_keeps_nothing_between_searches():
    criterion = Diverged()
    losses = [1] * 30 + [5] * 5
    assert stops_at(criterion, losses) == stops_at(criterion, losses) == 31


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), float("-inf")])
def test_not_finite(loss):
    assert stops_at(NotFinite(), [1, 2, loss, 1]) == 3
    assert stops_at(NotFinite(), [1, -2, 1e300]) is None


def test_bounds_on_iterations_and_rate():
    assert stops_at(MaxIterations(3), [1] * 9) == 3
    assert stops_at(MaxLR(0.05), [1] * 4, lrs=[0.01, 0.02, 0.05, 0.1]) == 3


def test_criteria_combine():
    losses = [1] * 30 + [5] * 5
    assert stops_at(Diverged() | MaxIterations(10), losses) == 10
    assert stops_at(Diverged() & MaxIterations(33), losses) == 33
    assert stops_at(Diverged() | (lambda state: state.losses[-1] == 1), losses) == 1
    assert stops_at((lambda state: True) & MaxIterations(4), losses) == 4
    assert stops_at((lambda state: True) | MaxIterations(4), losses) == 1
    assert stops_at(AllOf(MaxIterations(4), MaxLR(0.7), Diverged()), losses) == 31
    assert stops_at(AnyOf(MaxIterations(4), MaxLR(0.3)), losses) == 3


def test_a_criterion_of_ones_own():
    class Fallen(StoppingCriterion):
        def __init__(self, below):
            self.below = below

        def __call__(self, state):
            return state.smoothed(0.5)[-1] < self.below

    assert stops_at(Fallen(0.3) | MaxIterations(9), [1, 0.1, 0.1, 0.1]) == 4
    with pytest.raises(NotImplementedError, match="StoppingCriterion must define __call__"):
        StoppingCriterion()(SearchState())


def test_criteria_print_as_they_are_made():
    both = Diverged(0.5, 5) | MaxIterations(9) & MaxLR(2)
    assert repr(both) == "AnyOf(Diverged(0.5, 5), AllOf(MaxIterations(9), MaxLR(2.0)))"
    assert repr(NotFinite()) == "NotFinite()"
    assert repr(Diverged(rise=0.5)) == "Diverged(0.3, 20, rise=0.5)"


def test_smoothed_goes_on_from_where_it_was():
    state = SearchState()
    for loss in (4, 2):
        state.append(0.1, loss)
    assert state.smoothed(0.5) == [4, 3]
    state.append(0.1, 1)
    assert state.smoothed(0.5) == [4, 3, 2]
    assert state.smoothed(0) == [4, 2, 1]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Diverged(smoothing=1), ValueError, "Diverged: `smoothing` .* below 1, got 1"),
        (lambda: Diverged(min_iter=0), ValueError, "Diverged: `min_iter`"),
        (lambda: LRFinderStoppingCriteria(smoothing=1), ValueError, "`smoothing`"),
        (lambda: Diverged(rise=0), ValueError, "Diverged: `rise` must be a finite number above 0"),
        (lambda: AboveBest(1), ValueError, "AboveBest: `factor` must be a finite number above 1"),
        (lambda: MaxIterations(0), ValueError, "MaxIterations: `count` must be an integer of at"),
        (lambda: MaxLR(0), ValueError, "MaxLR: `lr` must be a finite number above 0"),
        (lambda: AnyOf(3), TypeError, "AnyOf: `criteria` must be a function that takes a Search"),
        (lambda: Diverged() | 3, TypeError, "unsupported operand"),
        (lambda: 3 & Diverged(), TypeError, "unsupported operand"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()
