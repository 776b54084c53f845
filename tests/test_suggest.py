"""The suggestion on curves whose shape is known."""

import numpy as np
import pytest

from gluon_lr.finder.suggest import middle_of_descent, smooth

LRS = 1e-6 * 1.1 ** np.arange(170)


def valley(steepest, blow_up, noise=0.0, seed=0):
    """A loss of 2.3 that falls fastest at `steepest` and explodes from `blow_up` on."""
    fall = 2 / (1 + (steepest / LRS) ** 2)
    random = np.random.RandomState(seed)
    return 2.3 - fall + (LRS / blow_up) ** 4 + noise * random.randn(len(LRS))


@pytest.mark.parametrize("steepest", [1e-4, 1e-3, 1e-2, 0.1])
def test_lies_between_the_steepest_and_the_lowest_point(steepest):
    losses = valley(steepest, 30 * steepest)
    lowest = LRS[np.argmin(losses)]
    assert steepest < middle_of_descent(LRS, losses) < lowest


@pytest.mark.parametrize("seed", range(20))
def test_noise_moves_it_little(seed):
    clean = middle_of_descent(LRS, valley(0.01, 0.3))
    noisy = middle_of_descent(LRS, valley(0.01, 0.3, noise=0.1, seed=seed))
    assert abs(np.log10(noisy / clean)) < 0.4


@pytest.mark.parametrize("end", [np.nan, np.inf])
def test_what_follows_a_loss_that_is_not_finite_is_not_used(end):
    losses = valley(0.01, 0.3)
    assert middle_of_descent(LRS[:150], losses[:150]) == middle_of_descent(
        LRS, np.r_[losses[:150], end, np.zeros(19)]
    )


@pytest.mark.parametrize(
    "losses",
    [
        np.ones(170),
        np.zeros(170),
        1 + np.arange(170) / 10,
        np.exp(np.arange(170) / 10),
        np.full(170, np.nan),
        np.r_[np.linspace(2, 1, 9)],
    ],
    ids=["flat", "zero", "rising", "exploding", "nan", "short"],
)
def test_refuses_a_curve_without_a_fall(losses):
    assert middle_of_descent(LRS[: len(losses)], losses) is None


def test_refuses_noise():
    random = np.random.RandomState(0)
    found = [middle_of_descent(LRS, 2.3 + 0.3 * random.randn(170)) for _ in range(500)]
    assert sum(one is not None for one in found) <= 5


def test_smoothing_has_no_lag_and_keeps_a_line():
    line = np.linspace(5, 1, 60)
    np.testing.assert_allclose(smooth(line)[12:-12], line[12:-12])
