"""Schedules as a picture."""

import math
from typing import TYPE_CHECKING, Mapping, Optional, Sequence, Union

import numpy as np

from .. import _check, plotting
from . import foreign
from .compose import stretched
from .foreign import LRCallable
from .lengths import longest

_POINTS = 100_000  # of a line, at most
_ENDLESS = 1500  # iterations that show a constant
_SHARES = 1000  # that show a training of any length
_BEYOND = 1.25  # how much is shown of what has no end
_FARTHEST = 2.0**53

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_schedule(
    schedules: Union[LRCallable, Sequence[LRCallable], Mapping[str, LRCallable]],
    iterations: Optional[int] = None,
    ax: "Optional[Axes]" = None,
    show: bool = False,
) -> "Axes":
    """Draw the rates of one or many schedules at iterations 1 to `iterations`.

    The schedules are left as they are, whatever they remember between calls.

    Parameters
    ----------
    schedules : callable, or a sequence or a mapping of them
        From an iteration to a rate: any schedules of this package or of MXNet, or functions.
        A mapping's names go to the legend; a sequence's schedules are named by their repr.
    iterations : int, optional
        The last iteration drawn, at least 1; by default see :func:`shown_length`. Schedules in
        shares of a training are stretched to it.
    ax : matplotlib Axes, optional
        Where to draw; a new figure's by default.
    show : bool
        Whether to show the picture, in a script too.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        When one of `schedules` cannot be called, or there is none, or `iterations` is below 1.
    """
    owner = "plot_schedule"
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
    if iterations is None:
        iterations = shown_length([schedule for _, schedule in named])
    last = _check.integer(owner, "iterations", iterations, 1)
    counts = spread(1, last, min(last, _POINTS))
    rates = [(name, rates_in(schedule, last, counts)) for name, schedule in named]
    return plotting.shown(plotting.plot_rates(counts, rates, ax), show)


def shown_length(schedules: Sequence[LRCallable]) -> int:
    """Return how many iterations show what schedules do.

    They are as many as the longest lasts of those that end; else a multiple of the longest of
    their lengths; 1500 where there is none.
    """
    in_iterations = [one for one in schedules if not foreign.is_in_shares(one)]
    if not in_iterations:
        return _SHARES
    length, ends = longest(foreign.extent_of(one) for one in in_iterations)
    return math.ceil(min(length if ends else _BEYOND * length, _FARTHEST)) or _ENDLESS


def spread(first: int, last: int, points: int) -> np.ndarray:
    """Return about so many whole numbers from `first` to `last`, evenly."""
    counts = np.linspace(first, last, points).round()
    return np.unique(np.append(counts[:-1].astype(np.int64), last))


def rates_in(schedule: LRCallable, iterations: int, counts: np.ndarray) -> np.ndarray:
    """Return the rates at rising `counts` in a training of `iterations`."""
    if foreign.is_in_shares(schedule):
        schedule = stretched(schedule, iterations)
    return foreign.rates(schedule, counts)
