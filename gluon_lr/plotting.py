"""Data to matplotlib Axes. Nothing is shown or saved, and matplotlib is imported when used."""

from typing import TYPE_CHECKING, Mapping, Optional, Sequence, Tuple

import numpy as np

from .finder.suggest import smooth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .finder.result import LRFinderResult
    from .schedules.foreign import LRCallable


def plot_schedule(
    schedule: "LRCallable", iterations: int = 1500, ax: "Optional[Axes]" = None
) -> "Axes":
    """Draw the rates of a schedule at iterations 1 to `iterations`, and return the Axes.

    The schedule is left as it is, whatever it remembers between calls.
    """
    from .schedules import foreign

    ax = ax or _new_axes()
    count = np.arange(1, iterations + 1)
    ax.plot(count, [foreign.rate(schedule, int(n)) for n in count], color="C0")
    ax.set_xlabel("iteration")
    ax.set_ylabel("learning rate")
    ax.grid(alpha=0.3)
    return ax


def plot_lr_find(result: "LRFinderResult", ax: "Optional[Axes]" = None) -> "Axes":
    """Draw a search's losses over its rates, smoothed too, with the suggestion marked."""
    ax = ax or _new_axes()
    finite = np.isfinite(result.losses)
    lrs, losses = result.lrs[finite], result.losses[finite]
    ax.plot(lrs, losses, ".", color="C0", alpha=0.4, label="loss of each batch")
    if len(losses):
        smoothed = smooth(losses)
        ax.plot(lrs, smoothed, color="C0", label="smoothed")
        low, high = min(losses.min(), smoothed.min()), smoothed.max()
        margin = 0.3 * (high - low) or 1.0
        ax.set_ylim(low - margin, high + margin)
    if result.suggestion is not None:
        label = f"suggestion {result.suggestion:.2g}"
        ax.axvline(result.suggestion, color="C3", linestyle="--", label=label)
    ax.set_xscale("log")
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss")
    ax.set_title(f"{len(result)} iterations: {result.reason}", fontsize="medium")
    ax.legend()
    ax.grid(alpha=0.3)
    return ax


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
