"""Plots of schedules."""

import math
from typing import TYPE_CHECKING, Mapping, Optional, Sequence, Union

import numpy as np

from .. import _check, plotting
from . import foreign
from .compose import stretched
from .foreign import LRCallable
from .lengths import longest

_POINTS = 100_000  # at most per line
_ENDLESS = 1500  # iterations drawn of a constant
_SHARES = 1000  # iterations drawn of schedules in shares of a training
_BEYOND = 1.25  # factor on the extent of schedules that never end
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

    The schedules are not changed, even if they keep state between calls.

    Parameters
    ----------
    schedules : callable, or a sequence or a mapping of them
        Each maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
        The legend shows the names of a mapping, or the repr of each schedule of a sequence.
    iterations : int, optional
        The last iteration drawn, at least 1; for the default see :func:`shown_length`. Schedules
        in shares of a training are stretched to it.
    ax : matplotlib Axes, optional
        Where to draw; by default, in a new figure.
    show : bool
        Whether to show the picture, even in a script.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError, ValueError
        If one of `schedules` cannot be called, if there is none, or if `iterations` is below 1.
    """
    owner = "plot_schedule"
    if callable(schedules):
        named = [("", schedules)]
    elif isinstance(schedules, Mapping):
        named = list(schedules.items())
    else:
        named = [(repr(schedule), schedule) for schedule in schedules]
    if not named:
        raise ValueError(_check.message(owner, "schedules", "at least one schedule", schedules))
    for _, schedule in named:
        foreign.check_schedule(owner, schedule, "schedules")
    if iterations is None:
        iterations = shown_length([schedule for _, schedule in named])
    last = _check.integer(owner, "iterations", iterations, 1)
    counts = spread(1, last, min(last, _POINTS))
    rates = [(name, rates_in(schedule, last, counts)) for name, schedule in named]
    return plotting.shown(plotting.plot_rates(counts, rates, ax), show)


def shown_length(schedules: Sequence[LRCallable]) -> int:
    """Return how many iterations to draw of schedules.

    This is the length of the longest schedule that ends. If none ends, it is a multiple of the
    longest length in them, or 1500 if they have no lengths.
    """
    in_iterations = [one for one in schedules if not foreign.is_in_shares(one)]
    if not in_iterations:
        return _SHARES
    length, ends = longest(foreign.extent_of(one) for one in in_iterations)
    return math.ceil(min(length if ends else _BEYOND * length, _FARTHEST)) or _ENDLESS


def spread(first: int, last: int, points: int) -> np.ndarray:
    """Return about `points` evenly spaced whole numbers from `first` to `last`."""
    counts = np.linspace(first, last, points).round()
    return np.unique(np.append(counts[:-1].astype(np.int64), last))


def rates_in(schedule: LRCallable, iterations: int, counts: np.ndarray) -> np.ndarray:
    """Return the rates at sorted `counts` in a training of `iterations`."""
    if foreign.is_in_shares(schedule):
        schedule = stretched(schedule, iterations)
    return foreign.rates(schedule, counts)
