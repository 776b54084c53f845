"""Data to matplotlib Axes. Nothing is shown or saved, and matplotlib is imported when used."""

import textwrap
from typing import TYPE_CHECKING, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from . import _check
from .finder.suggest import exponential_mean, smooth
from .schedules import foreign

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .finder.result import LRFinderResult
    from .schedules.foreign import LRCallable


def plot_schedule(
    schedules: "Union[LRCallable, Sequence[LRCallable], Mapping[str, LRCallable]]",
    iterations: int = 1500,
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Draw the rates of one or many schedules at iterations 1 to `iterations`.

    The schedules are left as they are, whatever they remember between calls.

    Parameters
    ----------
    schedules : callable, or a sequence or a mapping of them
        From an iteration to a rate: any schedules of this package or of MXNet, or functions.
        A mapping's names go to the legend; a sequence's schedules are named by their repr.
    iterations : int
        The last iteration drawn, at least 1.
    ax : matplotlib Axes, optional
        Where to draw; a new figure's by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        When one of `schedules` cannot be called, or there is none, or `iterations` is below 1.
    """
    owner = "plot_schedule"
    count = np.arange(1, _check.integer(owner, "iterations", iterations, 1) + 1)
    if callable(schedules):
        named = [("", schedules)]
    elif isinstance(schedules, Mapping):
        named = list(schedules.items())
    else:
        named = [(repr(schedule), schedule) for schedule in schedules]
    if not named:
        raise ValueError(_check.message(owner, "schedules", "at least one", schedules))
    for _, schedule in named:
        foreign.check_schedule(owner, schedule, "schedules")
    ax = ax or _new_axes()
    for name, schedule in named:
        ax.plot(count, foreign.rates(schedule, count), label=textwrap.fill(name, 80))
    if not callable(schedules):
        ax.legend(fontsize="small", loc="lower left", bbox_to_anchor=(0, 1))
    ax.set_xlabel("iteration")
    ax.set_ylabel("learning rate")
    ax.grid(alpha=0.3)
    return ax


def plot_lr_find(result: "LRFinderResult", ax: "Optional[Axes]" = None) -> "Axes":
    """Draw a search's losses over its rates, smoothed too, with the suggestion marked.

    A refining search is drawn beside the first, and the suggestions of several as a band.
    What lies beyond the smoothed curves, an explosion at the end say, is cut off.
    """
    ax = ax or _new_axes()
    searches = {"loss of each iteration": result}
    if result.refined is not None:
        searches["refining search"] = result.refined
    limits = []
    for number, (name, search) in enumerate(searches.items()):
        finite = np.isfinite(search.losses)
        lrs, losses = search.lrs[finite], search.losses[finite]
        color = f"C{number}"
        ax.plot(lrs, losses, ".", color=color, alpha=0.35, label=name)
        if len(losses):
            smoothed = smooth(losses)
            ax.plot(lrs, smoothed, color=color, label=None if number else "smoothed")
            limits += [min(losses.min(), smoothed.min()), smoothed.max()]
    if limits:
        low, high = min(limits), max(limits)
        margin = 0.3 * (high - low) or 1.0
        ax.set_ylim(low - margin, high + margin)
    if result.suggestion is not None:
        label = f"suggestion {result.suggestion:.2g}"
        ax.axvline(result.suggestion, color="C3", linestyle="--", label=label)
    if result.spread is not None:
        label = f"of {len(result.runs)} searches, {result.spread[0]:.2g} to {result.spread[1]:.2g}"
        ax.axvspan(*result.spread, color="C3", alpha=0.15, label=label)
    refused = "" if result.refusal is None else f"\nno suggestion: {result.refusal}"
    ax.set_xscale("log")
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss")
    ax.set_title(f"{len(result)} iterations: {result.reason}{refused}", fontsize="medium")
    ax.legend(fontsize="small")
    ax.grid(alpha=0.3)
    return ax


def plot_smoothed_search(
    result: "LRFinderResult",
    skip_start: int = 0,
    skip_end: int = 5,
    marked: Optional[float] = None,
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Draw a search as fastai does: its smoothed losses, and a red dot at the rate `marked`."""
    ax = ax or _new_axes()
    smoothed = exponential_mean(result.losses)
    shown = slice(skip_start, len(result) - skip_end)
    ax.plot(result.lrs[shown], smoothed[shown])
    if marked is not None:
        place = int(np.argmin(np.abs(result.lrs - marked)))
        label = f"steepest, {marked:.2g}"
        ax.plot(marked, smoothed[place], "o", color="red", markersize=8, label=label)
        ax.legend(fontsize="small")
    ax.set_xscale("log")
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss, smoothed")
    ax.grid(alpha=0.3)
    return ax


def plot_losses(
    losses: np.ndarray,
    validation: Sequence[Tuple[int, float]] = (),
    skip_start: int = 0,
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Draw the loss of each iteration, smoothed too, and validation losses at some of them.

    Smoothed means the exponential mean of about the last ten.
    """
    ax = ax or _new_axes()
    count = np.arange(1, len(losses) + 1)[skip_start:]
    smoothed = exponential_mean(losses, weight=0.9)[skip_start:]
    ax.plot(count, losses[skip_start:], ".", color="C0", alpha=0.2, label="loss of each iteration")
    ax.plot(count, smoothed, color="C0", label="smoothed")
    if len(validation):
        ax.plot(*zip(*validation), "o-", color="C1", label="validation")
    ax.set_xlabel("iteration")
    ax.set_ylabel("loss")
    ax.legend(fontsize="small")
    ax.grid(alpha=0.3)
    return ax


def plot_hyper_parameters(
    values: Mapping[str, np.ndarray],
    keys: Optional[Sequence[str]] = None,
    figsize: Optional[Tuple[float, float]] = None,
) -> "List[Axes]":
    """Draw hyper-parameters over iterations, two in a row, and return their Axes.

    Parameters
    ----------
    values : dict
        By name, of shape (n,), or (n, groups) with a line for each group.
    keys : sequence of str, optional
        Which of them; all by default.
    figsize : tuple, optional
        Of the figure, in inches.

    Raises
    ------
    ValueError
        When there is none of that name.
    """
    import matplotlib.pyplot as plt

    keys = list(values if keys is None else keys)
    for key in keys:
        _check.one_of("plot_sched", "keys", key, list(values))
    rows, columns = (len(keys) + 1) // 2, min(len(keys), 2)
    size = figsize or (5.5 * columns, 3.6 * rows)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for key, ax in zip(keys, grid.flat):
        of_groups = values[key].reshape(len(values[key]), -1)
        several = np.ptp(of_groups, axis=1).any()
        for group, line in enumerate(of_groups.T if several else of_groups.T[-1:]):
            label = f"group {group}" if several else None
            ax.plot(np.arange(1, len(line) + 1), line, label=label)
        if several:
            ax.legend(fontsize="small")
        ax.set_xlabel("iteration")
        ax.set_ylabel(key)
        ax.grid(alpha=0.3)
    for spare in grid.flat[len(keys) :]:
        figure.delaxes(spare)
    return list(grid.flat[: len(keys)])


def plot_curves(
    curves: Mapping[str, Tuple[Sequence[float], Sequence[float]]],
    xlabel: str,
    ylabel: str,
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Draw named (x, y) curves over a count, for comparison, and return the Axes."""
    from matplotlib.ticker import MaxNLocator

    ax = ax or _new_axes()
    for name, (x, y) in curves.items():
        ax.plot(x, y, marker=".", label=name)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.legend()
    ax.grid(alpha=0.3)
    return ax


def _new_axes() -> "Axes":
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(layout="constrained")
    return ax
