"""Schedules as a picture."""

from typing import TYPE_CHECKING, Mapping, Optional, Sequence, Union

import numpy as np

from .. import _check, plotting
from . import foreign
from .foreign import LRCallable

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_schedule(
    schedules: Union[LRCallable, Sequence[LRCallable], Mapping[str, LRCallable]],
    iterations: int = 1500,
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
    iterations : int
        The last iteration drawn, at least 1.
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
    rates = [(name, foreign.rates(schedule, count)) for name, schedule in named]
    return plotting.shown(plotting.plot_rates(rates, ax), show)
