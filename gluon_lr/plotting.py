"""Plots of arrays on matplotlib Axes.

Nothing is saved, and only `shown` shows a picture. matplotlib is imported when it is used. In a
figure with a constrained layout, which every new figure here has, legends are outside the Axes.
"""

import textwrap
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterable,
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
    from matplotlib.figure import Figure

Drawn = TypeVar("Drawn")  # Axes, or a list of them

SIZE = (7.5, 4.5)  # inches, of saved pictures
DPI = 150  # of saved pictures

_FEW = 20  # a line with fewer points has markers
_LINES = ("-", "--", "-.", ":")  # the next style starts when all colours are used
_LETTERS = 14  # letters of a title per inch
_BESIDE = 80  # letters of a legend per row

# These functions live in modules that import this one; gluon_lr/__init__.py adds them here.
plot_schedule: "Callable[..., Axes]"
plot_lr_find: "Callable[..., Axes]"


def picture(height: float = SIZE[1]) -> "Figure":
    """Return an empty figure to save, with the common width and resolution; `height` in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(SIZE[0], height), dpi=DPI, layout="constrained")


def plot_rates(
    iterations: np.ndarray,
    rates: Sequence[Tuple[str, np.ndarray]],
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Plot rates over iterations, and return the Axes.

    Parameters
    ----------
    iterations : numpy.ndarray
        Iterations, of shape (n,).
    rates : sequence of (str, numpy.ndarray)
        Names and rates, of shape (n,). A name goes to the legend if it is not empty.
    ax : matplotlib Axes, optional
        Where to draw; by default, in a new figure.
    """
    names = [textwrap.fill(name, _BESIDE) for name, _ in rates]
    lines = [line for name in names for line in name.splitlines()]
    columns = max(_BESIDE // (8 + max(map(len, lines), default=0)), 1)
    ax = ax or _new_axes(more=0.18 * max(len(lines) / columns - 3, 0))
    for number, (name, (_, lrs)) in enumerate(zip(names, rates)):
        style = _LINES[number // 10 % len(_LINES)]
        ax.plot(iterations, lrs, style, marker=_marker(lrs), label=name)
    _counted(ax)
    _show_zero_where_constant(ax, [lrs for _, lrs in rates])
    return _named(ax, "iteration", "learning rate", "above" if lines else None, columns)


def plot_search(
    searches: Mapping[str, Tuple[np.ndarray, np.ndarray, np.ndarray]],
    title: str,
    suggested: Mapping[str, float],
    lines: Mapping[str, float],
    bands: Mapping[str, Tuple[float, float]],
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Plot the losses of searches over their rates, raw and smoothed, and return the Axes.

    The limits of the y axis fit the smoothed curves. Higher losses, for example from an explosion
    at the end, and losses that are not finite are triangles at the border. The x axis is linear
    for evenly spaced rates, otherwise logarithmic.

    Parameters
    ----------
    searches : dict
        Maps names to rates, losses and smoothed losses, each of shape (n,). A smoothed loss is
        NaN if the loss is not finite.
    title : str
        Title of the picture.
    suggested : dict
        Maps a text to a rate, which a line with the text above it marks.
    lines, bands : dict
        Map labels to rates to mark with a line, and to pairs of rates to mark with a band.
    ax : matplotlib Axes, optional
        Where to draw; by default, in a new figure.
    """
    ax = ax or _new_axes()
    ax.set_xscale(_scale_of(*(lrs for lrs, _, _ in searches.values())))
    extremes: List[float] = []
    for number, (name, (lrs, losses, smoothed)) in enumerate(searches.items()):
        color = f"C{number}"
        of_points, of_line = (None, name) if number else (name, "smoothed")
        _dots(ax, lrs, losses, color, of_points)
        ax.plot(lrs, smoothed, color=color, label=of_line)
        finite = np.isfinite(smoothed)
        if finite.any():
            extremes += [losses[finite].min(), smoothed[finite].min(), smoothed[finite].max()]
    _limit(ax, extremes)
    for number, (lrs, losses, _) in enumerate(searches.values()):
        _mark_beyond(ax, lrs, losses, f"C{number}")
    _mark(ax, suggested, lines, bands)
    _titled(ax, title, suggested)
    return _named(ax, "learning rate", "loss", "below")


def plot_trials(
    trials: Mapping[str, Sequence[Tuple[float, float]]],
    parabola: Optional[Tuple[np.ndarray, np.ndarray]],
    began: Optional[float],
    title: str,
    suggested: Mapping[str, float],
    lines: Mapping[str, float],
    bands: Mapping[str, Tuple[float, float]],
    curves: Sequence[Tuple[str, float, np.ndarray]],
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Plot the losses of trials over their rates, and return the Axes.

    Parameters
    ----------
    trials : dict
        Maps labels to pairs (rate, loss). Losses well above `began` are triangles at the border.
    parabola : (numpy.ndarray, numpy.ndarray), optional
        Rates, and the values of the fitted parabola at them.
    began : float, optional
        The loss before the trials.
    title : str
        Title of the picture.
    suggested, lines, bands : dict
        As in :func:`plot_search`.
    curves : sequence of (str, float, numpy.ndarray)
        The name of a trial, its rate, and the losses of its updates, of shape (n,). They are
        drawn to the right.
    ax : matplotlib Axes, optional
        Where to draw the losses, without `curves`; by default, in a new figure.
    """
    ax = ax or _beside_curves(curves)
    ax.set_xscale("log")
    drawn = [np.reshape(points, (-1, 2)).T for points in trials.values()]
    for number, (label, (rates, losses)) in enumerate(zip(trials, drawn)):
        finite = np.isfinite(losses)
        ax.plot(rates[finite], losses[finite], "o:", color=f"C{number}", label=label)
    if parabola is not None:
        ax.plot(*parabola, color="C3", linewidth=1, label="parabola through the best three")
    known = [loss for _, losses in drawn for loss in losses if np.isfinite(loss)]
    if began is not None:
        ax.axhline(began, color="gray", linestyle=":", label="before training")
        lowest = min(known, default=began)
        highest = max(began, lowest) + abs(began - lowest)
        known = [began, *(loss for loss in known if loss <= highest)]
    _limit(ax, known)
    for number, (rates, losses) in enumerate(drawn):
        _mark_beyond(ax, rates, losses, f"C{number}")
    _mark(ax, suggested, lines, bands)
    _tick_narrow(ax)
    _titled(ax, title, suggested)
    return _named(ax, "learning rate", "held-out loss", "below")


def plot_comparison(
    curves: Mapping[str, Tuple[np.ndarray, np.ndarray]],
    dots: Mapping[str, Tuple[float, float]],
    dotted: Sequence[str],
    title: str,
    xlabel: str,
    ylabel: str,
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Plot curves over rates, with one colour map and names at the right; return the Axes.

    Parameters
    ----------
    curves : dict
        Maps names to rates and the losses at them, all finite.
    dots : dict
        Maps names to a rate and a loss, which are marked on the curve of that name.
    dotted : sequence of str
        Names of the curves to draw as dotted lines.
    title, xlabel, ylabel : str
        Title of the picture, and labels of its axes.
    ax : matplotlib Axes, optional
        Where to draw; by default, in a new figure.
    """
    import matplotlib.pyplot as plt

    names = {name: textwrap.fill(_cut_in_the_middle(name, 64), 34) for name in curves}
    if ax is None:
        lines = sum(1 + name.count("\n") for name in names.values())
        _, ax = plt.subplots(figsize=(8.5, max(4.8, 1 + 0.2 * lines)), layout="constrained")
    colors = dict(zip(curves, _colors(len(curves))))
    drawn = {name: curve for name, curve in curves.items() if len(curve[0])}
    ax.set_xscale(_scale_of(*(rates for rates, _ in curves.values())))
    for name, (rates, losses) in drawn.items():
        line = ":" if name in dotted else "-"
        marker = "o" if _marker(losses) else ""
        ax.plot(rates, losses, marker + line, color=colors[name], markersize=4)
    for name, dot in dots.items():
        ax.plot(*dot, "o", color=colors[name], markeredgecolor="black", markersize=9, zorder=3)
    if drawn:
        lowest = min(losses.min() for _, losses in drawn.values())
        firsts = [losses[0] for _, losses in drawn.values()]
        heights = [height for _, height in dots.values() if np.isfinite(height)]
        _limit(ax, [lowest, *firsts, *heights])
        ends = [(names[name], losses[-1], colors[name]) for name, (_, losses) in drawn.items()]
        _name_at_the_side(ax, ends)
    _tick_narrow(ax)
    _titled(ax, title)
    return _named(ax, xlabel, ylabel, None)


def plot_smoothed_search(
    lrs: np.ndarray,
    smoothed: np.ndarray,
    dots: Mapping[str, Tuple[float, float]],
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Plot a search as in fastai: the smoothed losses, and `dots` (rate, loss) in red by label.

    The limits of the y axis fit the losses up to the lowest one; a later rise may be cut off.
    """
    ax = ax or _new_axes()
    ax.set_xscale(_scale_of(lrs))
    ax.plot(lrs, smoothed)
    for label, (lr, loss) in dots.items():
        ax.plot(lr, loss, "o", color="red", markersize=8, label=label)
    finite = smoothed[np.isfinite(smoothed)]
    before = finite[: np.argmin(finite) + 1] if len(finite) else finite
    if len(before) > 1:
        _limit(ax, before)
    return _named(ax, "learning rate", "loss, smoothed", "best" if dots else None)


def plot_losses(
    losses: np.ndarray,
    validation: Sequence[Tuple[int, float]] = (),
    skip_start: int = 0,
    ax: "Optional[Axes]" = None,
    smoothed: Optional[np.ndarray] = None,
    title: str = "",
) -> "Axes":
    """Plot the loss of each iteration, raw and smoothed, and return the Axes.

    Parameters
    ----------
    losses : numpy.ndarray
        The losses from iteration 1 on, of shape (n,).
    validation : sequence of (int, float)
        Iterations, and the validation losses after them.
    skip_start : int
        Number of iterations to skip at the start; ignored if there are not more than that.
    ax : matplotlib Axes, optional
        Where to draw; by default, in a new figure.
    smoothed : numpy.ndarray, optional
        The smoothed losses, of shape (n,).
    title : str
        Title of the picture.
    """
    ax = ax or _new_axes()
    part = slice(skip_start if skip_start < len(losses) else 0, None)
    count = np.arange(1, len(losses) + 1)[part]
    _dots(ax, count, losses[part], "C0", "loss of each iteration")
    if smoothed is not None:
        ax.plot(count, smoothed[part], color="C0", label="smoothed")
    if len(validation):
        marker = "o-" if len(validation) < _FEW else "-"
        ax.plot(*zip(*validation), marker, color="C1", label="validation")
    _counted(ax)
    _titled(ax, title)
    return _named(ax, "iteration", "loss", "best")


def plot_hyper_parameters(
    values: Mapping[str, np.ndarray],
    keys: Union[str, Sequence[str], None] = None,
    figsize: Optional[Tuple[float, float]] = None,
) -> "List[Axes]":
    """Plot hyper-parameters over iterations, two plots per row, and return their Axes.

    Parameters
    ----------
    values : dict
        Maps names to values of shape (n,), or (n, groups) for one line per group.
    keys : str or sequence of str, optional
        The names to draw; all by default.
    figsize : tuple, optional
        Size of the figure, in inches.

    Raises
    ------
    ValueError
        If `values` does not have a name in `keys`.
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
        lines = of_groups.T if several else of_groups.T[-1:]
        for group, line in enumerate(lines):
            label = f"group {group}" if several else None
            ax.plot(np.arange(1, len(line) + 1), line, marker=_marker(line), label=label)
        _counted(ax)
        _show_zero_where_constant(ax, lines)
        _named(ax, "iteration", key, "best" if several else None)
    for spare in grid.flat[len(keys) :]:
        figure.delaxes(spare)
    return list(grid.flat[: len(keys)])


def plot_curves(
    curves: Mapping[str, Tuple[Sequence[float], Sequence[float]]],
    xlabel: str,
    ylabel: str,
    ax: "Optional[Axes]" = None,
) -> "Axes":
    """Plot named (x, y) curves over a count, for comparison, and return the Axes."""
    ax = ax or _new_axes()
    for name, (x, y) in curves.items():
        ax.plot(x, y, marker=".", label=name)
    _counted(ax)
    return _named(ax, xlabel, ylabel, "best")


def close(figure: Any) -> None:
    """Close a figure in pyplot, if the caller shows it in another way."""
    import matplotlib.pyplot as plt

    plt.close(figure)


def shown(axes: Drawn, show: bool) -> Drawn:
    """Show the pictures drawn so far if `show` is true, even in a script; return `axes`."""
    if show:
        import matplotlib.pyplot as plt

        plt.show()
    return axes


# -- figures and their axes --------------------------------------------------------------------


def _new_axes(more: float = 0.0) -> "Axes":
    """Return the Axes of a new figure, `more` inches higher than the default."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(layout="constrained")
    if more:
        figure.set_figheight(figure.get_figheight() + more)
    return ax


def _beside_curves(curves: Sequence[Tuple[str, float, np.ndarray]]) -> "Axes":
    """Plot curves over updates at the right of a new figure, and return the Axes at the left."""
    import matplotlib.pyplot as plt

    if not curves:
        return _new_axes()
    _, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
    rates = sorted({rate for _, rate, _ in curves})
    colors = dict(zip(rates, _colors(len(rates))))
    for _, rate, losses in curves:
        count = np.arange(1, len(losses) + 1)
        right.plot(count, losses, color=colors[rate])
    of_each = [(name, rate, losses[np.isfinite(losses)]) for name, rate, losses in curves]
    of_each = [(name, rate, losses) for name, rate, losses in of_each if len(losses)]
    if of_each:
        first = np.median([losses[0] for _, _, losses in of_each])
        _limit(right, [first, min(losses.min() for _, _, losses in of_each)])
    _name_at_the_side(right, [(name, losses[-1], colors[rate]) for name, rate, losses in of_each])
    _counted(right)
    _named(right, "update", "training loss, smoothed", None)
    return left


def _scale_of(*rates: np.ndarray) -> str:
    """Return the scale for rates: linear if they are evenly spaced, else logarithmic."""
    steps = [np.diff(of_one) for of_one in rates if len(of_one) > 2]
    even = [np.ptp(of_one) <= 1e-6 * np.max(np.abs(of_one)) for of_one in steps]
    return "linear" if even and all(even) else "log"


def _limit(ax: "Axes", losses: Sequence[float]) -> None:
    """Set the y limits to the range of the losses plus a margin; not below 0 if no loss is."""
    if not len(losses):
        return
    low, high = min(losses), max(losses)
    span = high - low or abs(high) or 1.0
    bottom = low - 0.1 * span
    ax.set_ylim(max(bottom, 0) if low >= 0 else bottom, high + 0.3 * span)


def _show_zero_where_constant(ax: "Axes", lines: Iterable[np.ndarray]) -> None:
    """Include 0 in the y limits if all values are equal."""
    values = np.concatenate(list(lines))
    if len(values) and values[0] >= 0 and np.ptp(values) == 0:
        top = 2 * values[0] or 1.0
        ax.set_ylim(-0.05 * top, top)


def _counted(ax: "Axes") -> None:
    """Use only whole numbers as ticks of the x axis."""
    from matplotlib.ticker import MaxNLocator

    steps = [1, 2, 2.5, 5, 10]
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=steps, min_n_ticks=1))
    left, right = ax.get_xlim()
    if right - left < 1:
        ax.set_xlim(round(left) - 0.5, round(right) + 0.5)


def _tick_narrow(ax: "Axes") -> None:
    """Add plain numbers to a logarithmic x axis of fewer than two decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    left, right = ax.get_xlim()
    if ax.get_xscale() == "log" and right < 100 * left:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())


def _colors(count: int) -> np.ndarray:
    import matplotlib.pyplot as plt

    colors: np.ndarray = plt.get_cmap("viridis")(np.linspace(0, 0.8, count))
    return colors


def _marker(line: np.ndarray) -> str:
    return "." if len(line) < _FEW else ""


# -- what is drawn on them ---------------------------------------------------------------------


def _dots(ax: "Axes", x: np.ndarray, y: np.ndarray, color: str, label: Optional[str]) -> None:
    """Draw points; the more there are, the more transparent they are."""
    alpha = min(max(100 / max(len(x), 1), 0.06), 0.4)
    ax.plot(x, y, ".", color=color, alpha=alpha, markeredgewidth=0, markersize=8, label=label)


def _mark_beyond(ax: "Axes", rates: np.ndarray, losses: np.ndarray, color: str) -> None:
    """Mark losses above the limits, or not finite, with triangles at the upper border."""
    above = ~(losses <= ax.get_ylim()[1])
    if above.any():
        ax.plot(
            rates[above],
            np.ones(above.sum()),
            "^",
            color=color,
            markersize=5,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
            zorder=3,
            label="_beyond",
        )


def _mark(
    ax: "Axes",
    suggested: Mapping[str, float],
    lines: Mapping[str, float],
    bands: Mapping[str, Tuple[float, float]],
) -> None:
    """Mark rates with lines, and pairs of rates with bands, without changing the limits."""
    for number, (label, lr) in enumerate(lines.items(), start=1):
        ax.axvline(lr, color=f"C{number}", linestyle=":", label=label)
    for lr in suggested.values():
        ax.axvline(lr, color="C3", linestyle="--")
    limits = ax.get_xlim()
    for number, (label, ends) in enumerate(bands.items(), start=1):
        ax.axvspan(*ends, color="C3", alpha=0.12 * number, linewidth=0, label=label)
    ax.set_xlim(limits)
    for text, lr in suggested.items():
        place = ax.transAxes.inverted().transform(ax.transData.transform((lr, 0)))[0]
        side = "left" if place < 0.15 else "right" if place > 0.85 else "center"
        ax.annotate(
            text,
            (lr, 1),
            (0, 4 if _has_room(ax) else -4),
            ax.get_xaxis_transform(),
            "offset points",
            color="C3",
            ha=side,
            va="bottom" if _has_room(ax) else "top",
        )


def _name_at_the_side(ax: "Axes", ends: Sequence[Tuple[str, float, Any]]) -> None:
    """Write names at the right of the Axes, as close to their heights as there is room.

    Parameters
    ----------
    ends : sequence of (str, float, color)
        Names, of one or more lines, their heights, and their colours.
    """
    bottom, top = ax.get_ylim()
    ends = sorted(ends, key=lambda end: end[1])
    points = 72 * ax.get_window_extent().height / ax.figure.dpi
    lines = [1 + name.count("\n") for name, _, _ in ends]
    size = min(10.0, points / (1.45 * max(sum(lines), 1)))
    rooms = [1.45 * size * count / points for count in lines]  # as shares of the height of the Axes
    above = float(sum(rooms))  # room for the names that are not placed yet
    edge = 0.0  # upper edge of the last name
    for (name, height, color), room in zip(ends, rooms):
        wanted = (height - bottom) / (top - bottom) - room / 2
        edge = min(max(wanted, edge), 1 - above)
        above -= room
        style = {"color": color, "fontsize": size, "va": "center", "linespacing": 1.1}
        ax.text(1.01, edge + room / 2, name, transform=ax.transAxes, **style)
        edge += room


def _cut_in_the_middle(text: str, letters: int) -> str:
    if len(text) <= letters:
        return text
    half = (letters - 5) // 2
    return " ... ".join([text[:half].rsplit(" ", 1)[0], text[-half:].split(" ", 1)[-1]])


def _has_room(ax: "Axes") -> bool:
    """Return whether the layout makes room for a legend or title outside the Axes."""
    return bool(ax.figure.get_constrained_layout())


def _titled(ax: "Axes", title: str, beneath: Any = ()) -> None:
    """Write a title as wide as the Axes; at most two lines of text if there is no room for more.

    If there is a text `beneath` the title, the title is moved up.
    """
    letters = max(int(_LETTERS * ax.get_window_extent().width / ax.figure.dpi), 20)
    lines = [textwrap.fill(line, letters) for line in title.splitlines()]
    if not _has_room(ax):
        first = title.partition("\n")[0]
        lines = [textwrap.fill(first, letters, max_lines=2, placeholder=" ...")]
    pad = 20 if beneath and _has_room(ax) else None
    ax.set_title("\n".join(lines), fontsize="medium", pad=pad)


def _named(ax: "Axes", xlabel: str, ylabel: str, legend: Optional[str], columns: int = 3) -> "Axes":
    """Label both axes, draw a grid and a legend: above or below in columns, or where it fits."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    if legend is None or not ax.get_legend_handles_labels()[1]:
        return ax
    place: Dict[str, Any] = {}
    if legend == "above" and _has_room(ax):
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncol": columns}
    elif legend == "below" and _has_room(ax):
        from matplotlib.transforms import ScaledTranslation

        below = ax.transAxes + ScaledTranslation(0, -0.5, ax.figure.dpi_scale_trans)
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "bbox_transform": below}
        place.update(ncol=columns, frameon=False)
    for line in ax.legend(fontsize="small", **place).get_lines():
        line.set_alpha(None)
    return ax
