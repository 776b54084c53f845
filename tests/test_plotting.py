"""What the pictures show, read back from their Axes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gluon_lr import FactorScheduler, LRFinderResult, Schedule, StopReason, TriangularSchedule
from gluon_lr._mxnet import mx
from gluon_lr.plotting import plot_curves, plot_schedule

LRS = 1e-6 * 1.1 ** np.arange(170)


def falling_then_exploding():
    losses = 2.3 - 2 / (1 + (0.01 / LRS) ** 2) + (LRS / 0.3) ** 4
    return LRFinderResult(LRS, losses, StopReason.DIVERGED)


def test_a_search_is_drawn_with_its_suggestion_on_a_log_axis():
    result = falling_then_exploding()
    ax = result.plot()
    assert ax.get_xscale() == "log"
    points, smoothed, suggestion = ax.get_lines()
    np.testing.assert_array_equal(points.get_ydata(), result.losses)
    assert len(smoothed.get_ydata()) == len(result)
    assert suggestion.get_xdata()[0] == result.suggestion
    assert "diverged" in ax.get_title()


def test_an_explosion_does_not_hide_the_valley():
    low, high = falling_then_exploding().plot().get_ylim()
    assert low < 0.4
    assert high < 5


def test_a_refining_search_is_drawn_beside_the_first_and_many_as_a_band():
    plain = falling_then_exploding()
    other = LRFinderResult(LRS, plain.losses + (LRS / 0.1) ** 2, StopReason.DIVERGED)
    result = LRFinderResult(
        LRS, plain.losses, StopReason.DIVERGED, runs=[plain, other], refined=plain
    )
    ax = result.plot()
    labels = ax.get_legend_handles_labels()[1]
    assert labels[:3] == ["loss of each iteration", "smoothed", "refining search"]
    assert labels[3] == f"suggestion {plain.suggestion:.2g}"
    low, high = result.interval
    assert labels[4] == f"4 of 5 best rates, {low:.2g} to {high:.2g}"
    assert labels[5].startswith("of 2 searches, ")
    assert len(ax.get_lines()) == 5


def test_the_title_says_why_there_is_no_suggestion():
    ax = LRFinderResult(LRS, np.ones(170), StopReason.REACHED_END).plot()
    assert ax.get_title().endswith("\nno suggestion: the loss does not change with the rate")


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
        ([3], 10, TypeError, "plot_schedule: `schedules` must be a schedule: callable"),
        (TriangularSchedule, 10, TypeError, "Instantiate it"),
        (TriangularSchedule(0, 1, 10), 0, ValueError, "`iterations` must be an integer of at"),
    ],
)
def test_what_is_no_schedule_is_not_drawn(schedules, iterations, error, message):
    with pytest.raises(error, match=message):
        plot_schedule(schedules, iterations)


def test_curves_share_the_axes_they_are_given():
    ax = plot_curves({"a": ([1, 2], [3, 4])}, "epoch", "loss")
    assert plot_curves({"b": ([1, 2], [5, 6])}, "epoch", "loss", ax) is ax
    assert [line.get_label() for line in ax.get_lines()] == ["a", "b"]
