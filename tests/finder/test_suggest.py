"""Our rule on curves whose shape is known, and fastai's beside slow ones written from its text."""

import itertools
import math

import numpy as np
import pytest

from gluon_lr import LRFinderResult, Refusal, StopReason
from gluon_lr.finder.suggest import (
    centred_mean,
    exponential_mean,
    fastai_suggestions,
    lowest_held_out,
    min_grad,
    minimum,
    slide,
    smooth,
    steep,
    suggest,
    valley,
)

LRS = 1e-6 * 1.1 ** np.arange(170)


def falling(steepest, blow_up, noise=0.0, seed=0):
    """A loss of 2.3 that falls fastest at `steepest` and explodes from `blow_up` on."""
    fall = 2 / (1 + (steepest / LRS) ** 2)
    random = np.random.RandomState(seed)
    return 2.3 - fall + (LRS / blow_up) ** 4 + noise * random.randn(len(LRS))


# -- ours ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steepest", [1e-4, 1e-3, 1e-2, 0.1])
def test_is_half_a_mean_of_both_ends_of_the_valley_and_a_usual_rate(steepest):
    losses = falling(steepest, 30 * steepest)
    rate, refusal = suggest(LRS, losses)
    lowest, fall = losses.min(), losses[0] - losses.min()
    low = LRS[losses < lowest + 0.02 * fall][0]
    high = LRS[losses < lowest + 0.75 * fall][-1]
    assert refusal is None
    expected = np.average(np.log10([low, high, 0.05]), weights=[0.7, 0.2, 0.1]) + math.log10(0.5)
    assert math.log10(rate) == pytest.approx(expected, abs=0.1)


def test_a_curve_that_does_not_rise_again_ends_at_its_last_rate():
    losses = falling(0.01, np.inf)[:150]
    low = LRS[np.argmax(losses < losses.min() + 0.02 * (losses[0] - losses.min()))]
    expected = np.average(np.log10([low, LRS[149], 0.05]), weights=[0.7, 0.2, 0.1])
    rate, _ = suggest(LRS[:150], losses)
    assert math.log10(rate) == pytest.approx(expected + math.log10(0.5), abs=0.1)


def test_a_bump_before_the_fall_does_not_count_for_it():
    bump = np.exp(-(((np.arange(170) - 20) / 5) ** 2))
    plain, bumped = suggest(LRS, falling(0.01, 0.3))[0], suggest(LRS, falling(0.01, 0.3) + bump)[0]
    assert bumped == pytest.approx(plain, rel=0.2)


@pytest.mark.parametrize("seed", range(20))
def test_noise_moves_it_little(seed):
    clean, _ = suggest(LRS, falling(0.01, 0.3))
    noisy, _ = suggest(LRS, falling(0.01, 0.3, noise=0.1, seed=seed))
    assert abs(math.log10(noisy / clean)) < 0.3


def test_stays_within_the_rates_of_the_curve():
    losses = np.linspace(2, 1, 60)
    high, low = np.geomspace(5, 10, 60), np.geomspace(1e-8, 1e-7, 60)
    assert suggest(high, losses) == (5, None)
    assert suggest(low, losses) == (1e-7, None)


@pytest.mark.parametrize("end", [np.nan, np.inf, -np.inf])
def test_what_follows_a_loss_that_is_not_finite_is_not_used(end):
    losses = falling(0.01, 0.3)
    assert suggest(LRS[:150], losses[:150]) == suggest(
        LRS, np.r_[losses[:150], end, np.full(19, -50)]
    )


NOISE = np.random.RandomState(1).randn(170)
NO_RATE = {
    "flat": (np.ones(170), Refusal.FLAT),
    "zero": (np.zeros(170), Refusal.FLAT),
    "negative": (np.full(170, -3.0), Refusal.FLAT),
    "rising": (1 + np.arange(170) / 10, Refusal.RISING),
    "exploding": (np.exp(np.arange(170) / 10), Refusal.RISING),
    "noise, then exploding": (2.3 + NOISE / 10 + (LRS / 0.1) ** 3, Refusal.RISING),
    "noise": (2.3 + NOISE / 10, Refusal.NOISE),
    "nan": (np.full(170, np.nan), Refusal.NOT_FINITE),
    "short": (np.linspace(2, 1, 19), Refusal.TOO_SHORT),
    "soon nan": (np.r_[np.linspace(2, 1, 19), [np.nan] * 151], Refusal.TOO_SHORT),
    "nothing": (np.array([]), Refusal.TOO_SHORT),
}


@pytest.mark.parametrize("name", NO_RATE)
def test_refuses_a_curve_that_shows_no_rate(name):
    losses, why = NO_RATE[name]
    assert suggest(LRS[: len(losses)], losses) == (None, why)
    result = LRFinderResult(LRS[: len(losses)], losses, StopReason.REACHED_END)
    assert result.suggestion is None
    assert result.refusal is why
    if len(losses):
        assert f"no suggestion: {why}" in repr(result)


@pytest.mark.parametrize(
    "draw",
    [
        lambda random: 2.3 + 0.3 * random.randn(170),
        lambda random: 1 + 0.1 * random.standard_t(3, 170),
        lambda random: random.exponential(size=170),
        lambda random: 0.05 * np.exp(random.randn(170)),
    ],
    ids=["normal", "heavy tails", "exponential", "log-normal"],
)
def test_mere_noise_passes_for_a_fall_once_in_400(draw):
    random = np.random.RandomState(0)
    found = [suggest(LRS, draw(random))[0] for _ in range(800)]
    assert sum(one is not None for one in found) <= 6


@pytest.mark.parametrize("seed", range(4))
def test_what_learns_is_told_from_noise_where_it_scatters_by_half_of_its_fall(seed):
    assert suggest(LRS, falling(0.01, 0.3, noise=1, seed=seed))[0] is not None


@pytest.mark.parametrize("noise", [0, 0.02, 0.3])
@pytest.mark.parametrize("value", [-1e6, 0, 30, 1e3, 1e6])
@pytest.mark.parametrize("at", [0, 1, 5, 9, 10, 40, 83, 100, 120, 150])
def test_one_outlying_loss_does_not_move_it(at, value, noise):
    losses = falling(0.01, 0.3, noise)[:152]
    plain, _ = suggest(LRS[:152], losses)
    losses[at] = value
    moved, refusal = suggest(LRS[:152], losses)
    assert refusal is None
    assert abs(math.log10(moved / plain)) < 0.05


def test_an_explosion_is_no_outlier_and_a_fall_at_the_end_is_one():
    losses = falling(0.01, 0.3)[:152]
    without, _ = suggest(LRS[:151], losses[:151])
    for last in (50, 1e3, -1e6):
        losses[-1] = last
        assert suggest(LRS[:152], losses)[0] == pytest.approx(without, rel=0.1)


def test_a_slow_search_tells_the_rate_of_its_lowest_loss():
    lrs = np.geomspace(0.01, 1, 120)
    losses = np.log(lrs / 0.2) ** 2
    assert lowest_held_out(lrs, losses)[0] == pytest.approx(0.7 * 0.2, rel=0.05)
    assert lowest_held_out(lrs, np.linspace(2, 1, 120))[0] == pytest.approx(0.7, rel=1e-3)
    assert lowest_held_out(lrs[80:], losses[80:]) == (None, Refusal.RISING)
    assert lowest_held_out(lrs[:19], losses[:19]) == (None, Refusal.TOO_SHORT)


def test_smoothing_has_no_lag_and_keeps_a_line():
    line = np.linspace(5, 1, 60)
    np.testing.assert_allclose(smooth(line)[12:-12], line[12:-12])


# -- fastai's, from their definitions --------------------------------------------------------------


def slow_smoothed(losses):
    """A weighted mean of all losses so far, with weights .98, .98^2, ... into the past."""
    weights = [[0.98 ** (i - j) for j in range(i + 1)] for i in range(len(losses))]
    return [
        sum(w * loss for w, loss in zip(ws, losses)) / sum(ws)
        for ws, losses in zip(weights, itertools.accumulate([loss] for loss in losses))
    ]


def slow_window(lrs, smoothed, num_it):
    kept = []
    for i in range(num_it // 10, len(smoothed) - 5):
        if math.isnan(smoothed[i]):
            break
        kept.append((lrs[i], smoothed[i]))
    return kept


def slow_minimum(window):
    return min(window, key=lambda pair: pair[1])[0] / 10


def slow_steep(window):
    logs = np.log([lr for lr, _ in window])
    losses = [loss for _, loss in window]
    slopes = [
        ((losses[i + 1] - losses[i]) / (logs[i + 1] - logs[i]), i) for i in range(len(window) - 1)
    ]
    return window[min(slopes)[1]][0]


def slow_valley(window):
    """Of all decreasing subsequences, the longest that ends first."""
    losses = [loss for _, loss in window]
    longest = []
    for i, loss in enumerate(losses):
        before = [longest[j] for j in range(i) if losses[j] > loss]
        longest.append(1 + max(before, default=0))
    length = max(longest)
    if length == 1:
        return window[0][0]
    end = longest.index(length)
    third = length / 3
    return window[end - length + int(third) + int(third / 2)][0]


def slow_slide(window):
    losses = [loss for _, loss in window]
    last = len(losses) - 1
    gradient = [
        losses[1] - losses[0],
        *((losses[i + 1] - losses[i - 1]) / 2 for i in range(1, last)),
        losses[last] - losses[last - 1],
    ]
    right, left = last, last - 15
    visited = left
    while left >= 0 and abs(gradient[right] - gradient[left]) > 0.005:
        visited = left
        right, left = right - 1, left - 1
    return window[visited][0]


def slow_min_grad(lrs, smoothed):
    losses = [loss for loss in smoothed if not math.isnan(loss)]
    window = list(zip(lrs, losses))[10:-5]
    losses = [loss for _, loss in window]
    last = len(losses) - 1
    gradient = [
        losses[1] - losses[0],
        *((losses[i + 1] - losses[i - 1]) / 2 for i in range(1, last)),
        losses[last] - losses[last - 1],
    ]
    return window[gradient.index(min(gradient))][0]


CURVES = {
    "smooth": falling(0.01, 0.3),
    "early": falling(1e-4, 0.01),
    "flat": np.ones(170),
    "rising": 1 + np.arange(170) / 10,
    "noisy": falling(0.01, 0.3, noise=0.3),
    "all noise": 2.3 + NOISE,
    "nan at the end": np.r_[falling(0.01, 0.3)[:140], [np.nan] * 3],
    "nan in the middle": np.r_[falling(0.01, 0.3)[:100], np.nan, np.zeros(69)],
    "negative": falling(0.01, 0.3) - 5,
    "short": falling(0.01, 0.3)[60:100],
}


@pytest.mark.parametrize("planned", [0, 30])
@pytest.mark.parametrize("name", CURVES)
def test_fastais_rules_are_exact(name, planned):
    losses = CURVES[name]
    lrs, num_it = LRS[: len(losses)], len(losses) + planned
    smoothed = exponential_mean(losses).tolist()
    window = slow_window(lrs, smoothed, num_it)
    assert fastai_suggestions(lrs, losses, num_it) == {
        "minimum": slow_minimum(window),
        "steep": slow_steep(window),
        "valley": slow_valley(window),
        "slide": slow_slide(window),
        "min_grad": slow_min_grad(lrs, smoothed),
    }


@pytest.mark.parametrize("seed", range(6))
def test_fastais_rules_are_exact_on_600_random_curves(seed):
    random = np.random.RandomState(seed)
    for _ in range(100):
        count = random.randint(40, 90)
        steepest, blow_up = 10 ** random.uniform([-4, -2], [-1, 0.5])
        part = np.sort(random.choice(170, count, replace=False))
        losses = falling(
            steepest, blow_up, noise=10 ** random.uniform(-3, 0), seed=random.randint(10**6)
        )[part]
        losses[random.randint(count)] *= random.choice([1, 1, 20, 300, np.nan])
        smoothed = exponential_mean(losses).tolist()
        window = slow_window(LRS[part], smoothed, count)
        if len(window) < 20:
            continue
        assert fastai_suggestions(LRS[part], losses, count) == {
            "minimum": slow_minimum(window),
            "steep": slow_steep(window),
            "valley": slow_valley(window),
            "slide": slow_slide(window),
            "min_grad": slow_min_grad(LRS[part], smoothed),
        }


def test_fastais_rules_on_values_worked_out_by_hand():
    lrs = np.array([1.0, 2, 4, 8, 16, 32])
    losses = np.array([5.0, 4, 6, 3, 2, 9])
    assert minimum(lrs, losses) == 1.6
    assert steep(lrs, losses) == 4
    assert valley(lrs, losses) == 2  # 5 4 3 2 ends at index 4: 4 - 4 + int(4 / 3) + int(2 / 3)
    assert valley(lrs[:2], losses[:2]) == 2  # index 1 - 2 + 0 + 0, the last, as in fastai
    assert valley(lrs, np.arange(6)) == 1
    assert min_grad(np.arange(1, 31), np.r_[np.zeros(20), -(np.arange(10.0) ** 2)]) == 25


@pytest.mark.parametrize("count", [1, 2, 3, 4, 13])
def test_smoothing_takes_few_losses(count):
    np.testing.assert_allclose(smooth(np.full(count, 2.5)), 2.5)


def test_smoothing_as_fastai_does():
    losses = falling(0.01, 0.3, noise=0.1)
    np.testing.assert_allclose(exponential_mean(losses), slow_smoothed(losses), rtol=1e-12)


def test_slide_steps_while_the_slopes_differ():
    lrs = np.arange(1, 31)
    assert slide(lrs, np.zeros(30)) == 15  # no step: the sixteenth last
    assert slide(lrs, np.arange(30.0) ** 2) == 1  # all the way
    assert slide(lrs[:15], np.zeros(15)) is None


@pytest.mark.parametrize("count", range(6))
def test_fastais_rules_find_nothing_on_next_to_nothing(count):
    assert fastai_suggestions(LRS[:count], np.ones(count), 100) == dict.fromkeys(
        ["minimum", "steep", "valley", "slide", "min_grad"]
    )


@pytest.mark.parametrize("count", range(6, 30))
def test_fastais_rules_on_a_short_curve(count):
    found = fastai_suggestions(LRS[:count], falling(0.01, 0.3)[:count], count)
    assert found["minimum"] in LRS / 10
    assert found["slide"] is None or found["slide"] in LRS


def test_a_result_has_all_of_them_by_name():
    losses = falling(0.01, 0.3)
    result = LRFinderResult(LRS, losses, StopReason.REACHED_END)
    assert result.suggestions == {
        "gluon_lr": result.suggestion,
        **fastai_suggestions(LRS, losses, 170),
    }


def test_the_losses_of_a_training_are_smoothed_without_lag():
    losses = np.abs(np.arange(201.0) - 100)
    assert np.argmin(centred_mean(losses)) == 100
    np.testing.assert_allclose(centred_mean(losses), centred_mean(losses[::-1])[::-1])
    losses[[20, 30]] = np.nan, np.inf
    means = centred_mean(losses)
    np.testing.assert_array_equal(np.isfinite(means), np.isfinite(losses))
    assert np.isnan(centred_mean(np.array([np.nan]))).all()
    assert len(centred_mean(np.array([]))) == 0
