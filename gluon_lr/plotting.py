"""Arrays and texts to matplotlib Axes.

Nothing is saved, and only `shown` shows. matplotlib is imported when used.
"""

import textwrap
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

import numpy as np

from . import _check

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Drawn = TypeVar("Drawn")  # Axes, or a list of them

# They draw what rooms above know: those give them to users here, in gluon_lr/__init__.py.
plot_schedule: "Callable[..., Axes]"
plot_lr_find: "Callable[..., Axes]"


def plot_rates(
    iterations: np.ndarray,
    rates: Sequence[Tuple[str, np.ndarray]],
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Draw rates over iterations, and return the Axes.

    Parameters
    ----------
    iterations : numpy.ndarray
        Of shape (n,).
    rates : sequence of (str, numpy.ndarray)
        Names, which go to the legend where they are not empty, and rates, of shape (n,).
    ax : matplotlib Axes, optional
        Where to draw; a new figure's by default.
    """
    ax = ax or _new_axes()
    for name, lrs in rates:
        ax.plot(iterations, lrs, label=textwrap.fill(name, 80))
    above = {"loc": "lower left", "bbox_to_anchor": (0, 1)}
    named = any(name for name, _ in rates)
    return _named(ax, "iteration", "learning rate", above if named else None)


def plot_search(
    searches: Mapping[str, Tuple[np.ndarray, np.ndarray, np.ndarray]],
    title: str,
    lines: Mapping[str, float],
    bands: Mapping[str, Tuple[float, float]],
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Draw the losses of searches over their rates, smoothed too, and return the Axes.

    What lies beyond the smoothed curves, an explosion at the end say, is cut off.

    Parameters
    ----------
    searches : dict
        By name: rates, losses and smoothed losses, all finite, each of shape (n,).
    title : str
        Above the picture.
    lines, bands : dict
        By label: rates to mark by a line, and pairs of rates to mark by a band between them.
    ax : matplotlib Axes, optional
        Where to draw; a new figure's by default.
    """
    ax = ax or _new_axes()
    limits = []
    for number, (name, (lrs, losses, smoothed)) in enumerate(searches.items()):
        color = f"C{number}"
        ax.plot(lrs, losses, ".", color=color, alpha=0.35, label=name)
        if len(losses):
            ax.plot(lrs, smoothed, color=color, label=None if number else "smoothed")
            limits += [min(losses.min(), smoothed.min()), smoothed.max()]
    if limits:
        low, high = min(limits), max(limits)
        margin = 0.3 * (high - low) or 1.0
        ax.set_ylim(low - margin, high + margin)
    _mark(ax, lines, bands)
    ax.set_xscale("log")
    ax.set_title(title, fontsize="medium", wrap=True)
    return _named(ax, "learning rate", "loss", {})


def plot_trials(
    trials: Mapping[str, Sequence[Tuple[float, float]]],
    parabola: Optional[Tuple[np.ndarray, np.ndarray]],
    began: Optional[float],
    title: str,
    lines: Mapping[str, float],
    bands: Mapping[str, Tuple[float, float]],
    curves: Mapping[str, np.ndarray],
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Draw the losses of trials over their rates, and return the Axes.

    Parameters
    ----------
    trials : dict
        By label: (rate, loss), all finite.
    parabola : (numpy.ndarray, numpy.ndarray), optional
        Rates, and what a parabola makes of them.
    began : float, optional
        The loss before them.
    title : str
        Above the picture.
    lines, bands : dict
        As :func:`plot_search` takes them.
    curves : dict
        By label: the losses of each update of a trial, of shape (n,), drawn beside it.
    ax : matplotlib Axes, optional
        Where to draw the losses alone; by default there is a new figure.
    """
    ax = ax or _beside_curves(curves)
    for number, (label, points) in enumerate(trials.items()):
        ax.plot(*np.reshape(points, (-1, 2)).T, "o:", color=f"C{number}", label=label)
    if parabola is not None:
        ax.plot(*parabola, color="C3", linewidth=1, label="parabola through the best three")
    if began is not None:
        ax.axhline(began, color="gray", linestyle=":", label="before training")
    _mark(ax, lines, bands)
    ax.set_xscale("log")
    ax.set_title(title, fontsize="medium")
    return _named(ax, "learning rate", "held-out loss", {})


def plot_comparison(
    curves: Mapping[str, Tuple[np.ndarray, np.ndarray]],
    dots: Mapping[str, Tuple[float, float]],
    dotted: Sequence[str],
    title: str,
    xlabel: str,
    ylabel: str,
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Draw curves over rates in one scale of colours, named at their sides; return the Axes.

    Parameters
    ----------
    curves : dict
        By name: rates, and the losses at them, all finite.
    dots : dict
        By name: a rate and a loss to mark on its curve.
    dotted : sequence of str
        Which curves to draw dotted.
    title, xlabel, ylabel : str
        Above the picture, and at its axes.
    ax : matplotlib Axes, optional
        Where to draw; a new figure's by default.
    """
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(figsize=(8.5, 4.8), layout="constrained")
    colors = dict(zip(curves, plt.get_cmap("viridis")(np.linspace(0, 0.9, len(curves)))))
    drawn = {name: curve for name, curve in curves.items() if len(curve[0])}
    ax.set_xscale("log")
    for name, (rates, losses) in drawn.items():
        marker = "" if len(losses) > 20 else "o"
        line = ":" if name in dotted else "-"
        ax.plot(rates, losses, marker + line, color=colors[name], markersize=4)
    for name, dot in dots.items():
        ax.plot(*dot, "o", color=colors[name], markeredgecolor="black", markersize=9, zorder=3)
    if drawn:
        low = min(losses.min() for _, losses in drawn.values())
        high = max(losses[0] for _, losses in drawn.values())
        margin = 0.1 * (high - low) or 1.0
        ax.set_ylim(low - margin, high + margin)
        _name_at_the_side(ax, {name: losses[-1] for name, (_, losses) in drawn.items()}, colors)
    inches = ax.get_window_extent().width / ax.figure.dpi
    ax.set_title(textwrap.fill(title, int(15 * inches)), fontsize="small", loc="left")
    return _named(ax, xlabel, ylabel, None)


def plot_smoothed_search(
    lrs: np.ndarray,
    smoothed: np.ndarray,
    dots: Mapping[str, Tuple[float, float]],
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Draw a search as fastai does: its smoothed losses, and red dots, (rate, loss) by label."""
    ax = ax or _new_axes()
    ax.plot(lrs, smoothed)
    for label, (lr, loss) in dots.items():
        ax.plot(lr, loss, "o", color="red", markersize=8, label=label)
    ax.set_xscale("log")
    return _named(ax, "learning rate", "loss, smoothed", {} if dots else None)


def plot_losses(
    losses: np.ndarray,
    validation: Sequence[Tuple[int, float]] = (),
    skip_start: int = 0,
    ax: "Optional[Axes]" = None,
    smoothed: Optional[np.ndarray] = None,
) -> "Axes":
    """Draw the loss of each iteration, smoothed too, and return the Axes.

    Parameters
    ----------
    losses : numpy.ndarray
        Of shape (n,), from iteration 1 on.
    validation : sequence of (int, float)
        Iterations, and the validation losses after them.
    skip_start : int
        Iterations to leave out at the start.
    ax : matplotlib Axes, optional
        Where to draw; a new figure's by default.
    smoothed : numpy.ndarray, optional
        The losses smoothed, of shape (n,).
    """
    ax = ax or _new_axes()
    count = np.arange(1, len(losses) + 1)[skip_start:]
    ax.plot(count, losses[skip_start:], ".", color="C0", alpha=0.2, label="loss of each iteration")
    if smoothed is not None:
        ax.plot(count, smoothed[skip_start:], color="C0", label="smoothed")
    if len(validation):
        ax.plot(*zip(*validation), "o-", color="C1", label="validation")
    return _named(ax, "iteration", "loss", {})


def plot_hyper_parameters(
    values: Mapping[str, np.ndarray],
    keys: Union[str, Sequence[str], None] = None,
    figsize: Optional[Tuple[float, float]] = None,
) -> "List[Axes]":
    """Draw hyper-parameters over iterations, two in a row, and return their Axes.

    Parameters
    ----------
    values : dict
        By name, of shape (n,), or (n, groups) with a line for each group.
    keys : str or sequence of str, optional
        Which of them; all by default.
    figsize : tuple, optional
        Of the figure, in inches.

    Raises
    ------
    ValueError
        When there is none of that name.
    """
    import matplotlib.pyplot as plt

    keys = [keys] if isinstance(keys, str) else list(values if keys is None else keys)
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
        _named(ax, "iteration", key, {} if several else None)
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
    return _named(ax, xlabel, ylabel, {"fontsize": None})


def close(figure: Any) -> None:
    """Forget a figure that somebody else shows."""
    import matplotlib.pyplot as plt

    plt.close(figure)


def shown(axes: Drawn, show: bool) -> Drawn:
    """Show the pictures drawn so far where `show` is true, in a script too; return `axes`."""
    if show:
        import matplotlib.pyplot as plt

        plt.show()
    return axes


def _new_axes() -> "Axes":
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(layout="constrained")
    return ax


def _beside_curves(curves: Mapping[str, np.ndarray]) -> "Axes":
    """Draw curves over updates at the right of a new figure, and return the Axes at its left."""
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for label, losses in curves.items():
        right.plot(np.arange(1, len(losses) + 1), losses, label=label)
    _named(right, "update", "training loss, smoothed", {} if curves else None)
    return left


def _name_at_the_side(ax: "Axes", heights: Mapping[str, float], colors: Mapping[str, Any]) -> None:
    """Write names at the right of the Axes, as near to their heights as they have room."""
    bottom, top = ax.get_ylim()
    names = sorted(heights, key=heights.__getitem__)
    room = min(0.055, 1 / len(names))  # of the height, for each
    place = -room
    for number, name in enumerate(names):
        wanted = (heights[name] - bottom) / (top - bottom)
        highest = 1 - room * (len(names) - 1 - number)
        place = min(max(wanted, place + room), highest)
        text = textwrap.shorten(name, 36, placeholder=" ...")
        ax.text(1.01, place, text, color=colors[name], transform=ax.transAxes, va="center")


def _mark(ax: "Axes", lines: Mapping[str, float], bands: Mapping[str, Tuple[float, float]]) -> None:
    """Mark rates by lines, and pairs of rates by bands between them."""
    for label, lr in lines.items():
        ax.axvline(lr, color="C3", linestyle="--", label=label)
    for label, ends in bands.items():
        ax.axvspan(*ends, color="C3", alpha=0.15, label=label)


def _named(ax: "Axes", xlabel: str, ylabel: str, legend: Optional[Dict[str, Any]]) -> "Axes":
    """Name both axes, draw a grid, and a legend with these settings; without one for None."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    if legend is not None:
        ax.legend(**{"fontsize": "small", **legend})
    return ax
