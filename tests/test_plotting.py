"""What the pictures show, read back from their Axes."""

import struct
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gluon_lr import (
    FactorScheduler,
    LRFinderResult,
    Schedule,
    StopReason,
    TriangularSchedule,
    TuneResult,
    plotting,
)
from gluon_lr._mxnet import mx
from gluon_lr.finder.suggest import Refusal
from gluon_lr.finder.tune_result import Trial
from gluon_lr.plotting import (
    plot_comparison,
    plot_curves,
    plot_hyper_parameters,
    plot_losses,
    plot_schedule,
)

DOCS = Path(__file__).parent.parent / "docs"
LRS = 1e-6 * 1.1 ** np.arange(170)


def falling_then_exploding():
    losses = 2.3 - 2 / (1 + (0.01 / LRS) ** 2) + (LRS / 0.3) ** 4
    return LRFinderResult(LRS, losses, StopReason.DIVERGED)


def test_a_search_is_drawn_with_its_suggestion_on_a_log_axis():
    result = falling_then_exploding()
    ax = result.plot()
    assert ax.get_xscale() == "log"
    points, smoothed, _, suggestion = ax.get_lines()
    np.testing.assert_array_equal(points.get_ydata(), result.losses)
    assert len(smoothed.get_ydata()) == len(result)
    assert suggestion.get_xdata()[0] == result.suggestion
    answer, end = ax.get_title().splitlines()
    assert answer == f"Suggested rate: {result.suggestion:.2g}"
    assert end == "170 iterations: the smoothed loss diverged"
    (text,) = ax.texts
    low, high = result.interval
    assert text.get_text() == f"{result.suggestion:.2g} ({low:.2g} to {high:.2g})"
    assert text.xy == (result.suggestion, 1)
    (band,) = ax.patches
    assert np.ptp(band.get_path().vertices[:, 0]) or band.get_width() == pytest.approx(high - low)


def test_an_explosion_does_not_hide_the_valley():
    low, high = falling_then_exploding().plot().get_ylim()
    assert 0 <= low < 0.4
    assert high < 5


def test_what_is_beyond_the_axis_or_not_finite_is_marked_at_its_border():
    losses = falling_then_exploding().losses
    losses[[20, 169]] = np.nan, np.inf
    ax = LRFinderResult(LRS, losses, StopReason.NOT_FINITE).plot()
    beyond = ax.get_lines()[2]
    assert beyond.get_marker() == "^"
    assert not beyond.get_clip_on()
    expected = LRS[~(losses <= ax.get_ylim()[1])]
    np.testing.assert_array_equal(beyond.get_xdata(), expected)
    assert {LRS[20], LRS[169]} < set(expected)
    assert set(beyond.get_ydata()) == {1}


@pytest.mark.parametrize("shift", [0, -2])
def test_the_axis_goes_below_0_where_losses_do(shift):
    losses = falling_then_exploding().losses + shift
    low, _ = LRFinderResult(LRS, losses, StopReason.DIVERGED).plot().get_ylim()
    assert (low < 0) == (shift < 0)
    assert low <= losses.min()


def test_a_linear_search_has_a_linear_axis_of_its_own_rates():
    lrs = np.linspace(0.001, 0.1, 100)
    result = LRFinderResult(lrs, 2 - np.minimum(lrs / 0.05, 1), StopReason.REACHED_END)
    ax = result.plot(skip_start=3)
    assert ax.get_xscale() == "linear"
    assert result.interval[1] > 0.11 > ax.get_xlim()[1]  # the band does not widen the axis
    assert LRFinderResult(LRS[:2], [1, 2], StopReason.DIVERGED).plot().get_xscale() == "log"


def test_a_user_s_axes_have_all_inside():
    figure, ax = plt.subplots()
    falling_then_exploding().plot(ax)
    figure.canvas.draw()
    window = ax.get_window_extent()
    for artist in (ax.get_legend(), ax.texts[0]):
        extent = artist.get_window_extent()
        assert window.y0 < extent.y0 < extent.y1 < window.y1
    assert "\n" not in ax.get_title()
    _, (left, _) = plt.subplots(1, 2, figsize=(6, 3))
    rising = LRFinderResult(LRS, 0.1 + LRS, StopReason.REACHED_END, usual=0.45)
    lines = rising.plot(left).get_title().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("No rate suggested: the loss")
    assert lines[1].endswith(" ...")


def test_a_legend_of_our_own_figure_covers_nothing():
    ax = falling_then_exploding().plot()
    ax.figure.canvas.draw()
    legend = ax.get_legend().get_window_extent()
    assert 0 < legend.y0 < legend.y1 < ax.xaxis.label.get_window_extent().y0


def test_a_refining_search_is_drawn_beside_the_first_and_many_as_a_band():
    plain = falling_then_exploding()
    other = LRFinderResult(LRS, plain.losses + (LRS / 0.1) ** 2, StopReason.DIVERGED)
    result = LRFinderResult(
        LRS, plain.losses, StopReason.DIVERGED, runs=[plain, other], refined=plain
    )
    ax = result.plot()
    labels = ax.get_legend_handles_labels()[1]
    assert labels[:3] == ["loss of each iteration", "smoothed", "refining search"]
    assert labels[3] == "80 % interval"
    assert labels[4].startswith("of 2 searches, ")
    outer, inner = (patch.get_alpha() for patch in ax.patches)
    assert outer < inner
    points, _, refining, _ = ax.get_lines()[:4]
    assert points.get_color() != refining.get_color()


def test_the_title_says_why_there_is_no_suggestion():
    ax = LRFinderResult(LRS, np.ones(170), StopReason.REACHED_END).plot()
    answer = ax.get_title().splitlines()[0]
    assert answer == "No rate suggested: the loss does not change with the rate"
    assert not ax.texts


@pytest.mark.parametrize("losses", [[], [np.nan], [1.0], [2.0, 2.0, np.inf]])
def test_short_and_broken_searches_are_drawn_too(losses):
    ax = LRFinderResult(LRS[: len(losses)], losses, StopReason.NOT_FINITE).plot()
    assert all("suggestion" not in line.get_label() for line in ax.get_lines())
    ax.figure.canvas.draw()


def test_a_schedule_is_drawn_from_iteration_1():
    ax = TriangularSchedule(0, 1, 10).plot(iterations=20)
    (line,) = ax.get_lines()
    assert (line.get_xdata()[0], line.get_xdata()[-1]) == (1, 20)
    assert line.get_ydata()[4] == 1


@pytest.mark.parametrize("draw", [plot_schedule, Schedule.plot])
def test_a_schedule_is_shown_where_asked(draw, monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gca()))
    schedule = TriangularSchedule(0, 1, 10)
    draw(schedule, 20)
    assert shown == []
    ax = draw(schedule, 20, show=True)
    assert shown == [ax]


def test_drawing_a_schedule_in_use_leaves_it_where_it_is():
    scheduler = mx.lr_scheduler.FactorScheduler(10, 0.5, base_lr=1)
    scheduler(15)
    before = dict(vars(scheduler))
    (line,) = plot_schedule(scheduler, 100).get_lines()
    assert vars(scheduler) == before
    np.testing.assert_allclose(
        line.get_ydata(), [FactorScheduler(10, 0.5, base_lr=1)(n) for n in range(1, 101)]
    )


def test_many_schedules_are_drawn_by_their_texts_or_by_names():
    both = [TriangularSchedule(0, 1, 10), FactorScheduler(10, 0.5)]
    ax = plot_schedule(both, 20)
    assert [line.get_label() for line in ax.get_lines()] == [repr(one) for one in both]
    named = plot_schedule({"ours": both[0], "a function": lambda n: n / 20}, 20)
    assert [line.get_label() for line in named.get_lines()] == ["ours", "a function"]
    np.testing.assert_allclose(named.get_lines()[1].get_ydata(), np.arange(1, 21) / 20)
    assert plot_schedule(both[0], 20, named) is named


@pytest.mark.parametrize(
    ("schedules", "iterations", "error", "message"),
    [
        ([], 10, ValueError, "plot_schedule: `schedules` must be at least one"),
        ([3], 10, TypeError, "plot_schedule: `schedules` must be a schedule: a call"),
        (TriangularSchedule, 10, TypeError, "Instantiate it"),
        (TriangularSchedule(0, 1, 10), 0, ValueError, "`iterations` must be an integer of at"),
    ],
)
def test_what_is_no_schedule_is_not_drawn(schedules, iterations, error, message):
    with pytest.raises(error, match=message):
        plot_schedule(schedules, iterations)


def test_counts_are_whole_numbers():
    for ax in (
        TriangularSchedule(0, 1, 2).plot(3),
        plot_curves({"a": ([1, 2, 3], [3, 4, 5])}, "epoch", "loss"),
        plot_losses(np.array([3.0, 2.0, 1.0]), [(3, 2.0)], skip_start=5),
        *plot_hyper_parameters({"lr": np.array([0.1, 0.2, 0.1])}),
    ):
        first, last = ax.get_xlim()
        shown = [tick for tick in ax.get_xticks() if first <= tick <= last]
        assert shown == [1, 2, 3]
        assert list(ax.get_lines()[0].get_xdata()) == [1, 2, 3]


def test_one_update_is_a_dot_over_its_number():
    (ax,) = plot_hyper_parameters({"lr": np.array([0.1])})
    assert ax.get_lines()[0].get_marker() == "."
    assert [tick for tick in ax.get_xticks() if 0.5 <= tick <= 1.5] == [1]


def test_a_constant_is_shown_with_0():
    low, high = plot_schedule(lambda n: 0.1, 20).get_ylim()
    assert low <= 0 < 0.1 < high
    low, high = plot_hyper_parameters({"wd": np.zeros(5)})[0].get_ylim()
    assert low < 0 < high


def test_many_schedules_with_long_texts_leave_room_for_their_curves():
    end = TriangularSchedule(0, 1, 10)
    many = [FactorScheduler(n, 0.5).clip(low=1e-5).then(end, after=n) for n in range(1, 11)]
    ax = plot_schedule(many, 20)
    ax.figure.canvas.draw()
    assert ax.get_window_extent().height > 0.35 * ax.figure.bbox.height
    assert ax.get_legend().get_window_extent().y1 <= ax.figure.bbox.height


def trials_of(rates, losses, length=64):
    of_each = np.full((len(rates), length), 2.0)
    return [Trial(*one, 0.1, tuple(row)) for *one, row in zip(rates, [length] * 9, losses, of_each)]


def tuned(trials, **settings):
    given = {
        "suggestion": 0.21,
        "interval": (0.1, 0.44),
        "cost": 256,
        "refusal": None,
        "usual": None,
        "length": 64,
        "budget": 256,
        "policy": "fit_one_cycle",
        "began": 2.3,
        "kept": False,
    }
    return TuneResult(trials=trials, **{**given, **settings})


def test_a_tune_shows_what_is_far_above_at_the_border():
    trials = trials_of([0.05, 0.2, 0.8, 3, 10], [0.5, 0.3, 0.5, 1e6, np.inf])
    ax = tuned(trials).plot()
    assert ax.get_title().splitlines()[0] == "Suggested rate: 0.21"
    assert ax.texts[0].get_text() == "0.21 (0.1 to 0.44)"
    low, high = ax.get_ylim()
    assert 0 <= low < 0.3 and 2.3 < high < 10
    (beyond,) = [line for line in ax.get_lines() if line.get_marker() == "^"]
    assert list(beyond.get_xdata()) == [3, 10]
    right = ax.figure.axes[1]
    assert sorted(text.get_text() for text in right.texts) == [
        "lr 0.05",
        "lr 0.2",
        "lr 0.8",
        "lr 10",
        "lr 3",
    ]


def test_trials_that_did_not_learn_are_within_the_picture():
    trials = trials_of([0.05, 0.2], [3, 3.2])
    ax = tuned(trials, suggestion=None, interval=None, refusal=Refusal.NOT_LEARNT).plot()
    assert ax.get_title().startswith("No rate suggested: no trial ended with a lower loss")
    assert ax.get_ylim()[0] < 2.3 and ax.get_ylim()[1] > 3.2
    labels = [label.get_text() for label in ax.get_xticklabels() if label.get_text()]
    assert {"0.05", "0.1", "0.2"} <= set(labels)


def test_trials_of_one_rate_and_several_lengths_are_all_drawn():
    trials = [*trials_of([0.1, 0.2], [1, 1], 16), *trials_of([0.1, 0.2], [0.5, 0.4])]
    ax = tuned(trials).plot()
    assert len(ax.figure.axes[1].get_lines()) == 4
    assert len(tuned([], began=None).plot().figure.axes) == 1


def test_long_names_of_a_comparison_keep_both_ends_and_their_room():
    names = [
        f"optimizer sgd momentum 0.9 nesterov True wd 0.000{n}, batch_size {n}" for n in range(9)
    ]
    curves = {name: (np.array([0.1, 1.0]), np.array([1.0, 0.5])) for name in names}
    ax = plot_comparison(curves, {}, [], "a title", "learning rate", "loss")
    ax.figure.canvas.draw()
    assert all(t.get_text().startswith("optimizer sgd momentum") for t in ax.texts)
    assert all(f"batch_size {n}" in " ".join(ax.texts[n].get_text().split()) for n in range(9))
    extents = [text.get_window_extent() for text in ax.texts]
    assert all(below.y1 <= above.y0 for below, above in zip(extents, extents[1:]))
    assert max(extent.x1 for extent in extents) <= ax.figure.bbox.width


@pytest.mark.parametrize("name", ["finder", "policy", "schedules"])
def test_pictures_of_the_pages_have_one_size(name):
    expected = tuple(map(int, plotting.picture().bbox.size))
    data = (DOCS / f"{name}.png").read_bytes()
    assert struct.unpack(">2I", data[16:24]) == expected


def test_settings_of_matplotlib_stay():
    before = dict(plt.rcParams)
    tuned(trials_of([0.1, 0.2], [1, 1])).plot()
    plotting.picture()
    assert dict(plt.rcParams) == before


def test_curves_share_the_axes_they_are_given():
    ax = plot_curves({"a": ([1, 2], [3, 4])}, "epoch", "loss")
    assert plot_curves({"b": ([1, 2], [5, 6])}, "epoch", "loss", ax) is ax
    assert [line.get_label() for line in ax.get_lines()] == ["a", "b"]
