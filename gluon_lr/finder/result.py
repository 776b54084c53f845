"""The result of a search, and why the search ended."""

import contextlib
import json
import math
from enum import Enum
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    Union,
    overload,
)

import numpy as np

from .. import _check, _html, plotting
from . import suggest
from .suggest import Refusal
from .usual import around, decades_of_sweep, shift_of_sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class StopReason(Enum):
    """Why a search ended; the value is a sentence."""

    DIVERGED = "the smoothed loss diverged"
    NOT_FINITE = "the loss was not finite"
    REACHED_END = "all rates were tried"
    STOPPED = "the `stop` criterion ended the search"
    FIT_ENDED = "the fit ended"

    def __str__(self) -> str:
        return self.value


_SOON = {  # why a curve is too short
    StopReason.STOPPED: Refusal.STOPPED_SOON,
    StopReason.NOT_FINITE: Refusal.NOT_FINITE_SOON,
}


class LRFinderResult(Sequence[Tuple[float, float]]):
    """The (rate, loss) pairs of a search, one per iteration, and the rate that they suggest.

    Attributes
    ----------
    lrs : numpy.ndarray
        The rates, rising, of shape (n,).
    losses : numpy.ndarray
        The loss of the iteration at each rate, of shape (n,). It includes losses that were
        skipped because they are not finite; these are ignored when the curve is read.
    reason : StopReason
        Why the search ended. If the loss was not finite, the last pair holds that loss.
    num_iter : int
        How many iterations were planned, at least n.
    runs : tuple of LRFinderResult
        The searches of which this one is the median; empty if there was only one.
    refined : LRFinderResult or None
        A second, slower search around the suggestion of this one, whose suggestion it replaces.
    length : int or None
        Updates of the training that the suggestion is for; None means 250.
    passes : float or None
        How often that training goes through its data; None if unknown.
    usual : float or None
        The rate with which the optimizer usually does best; None if unknown.
    held_out : bool
        Whether this is a refining search on the held-out loss. Its suggestion is then 0.7 times
        the rate of the lowest smoothed loss.
    groups : tuple of LRFinderResult
        The search of each parameter group alone, if rates by group were requested.
    together : LRFinderResult or None
        The search of all groups in the proportion that `groups` suggest. Its rates are those of
        the last group.

    Raises
    ------
    ValueError
        If the numbers of rates and losses differ, there are more than were planned, or a number
        is outside its bounds.

    >>> result = LRFinderResult([0.1, 0.2], [1.5, 3.5], StopReason.DIVERGED)
    >>> result[1], len(result)
    ((0.2, 3.5), 2)
    >>> result
    LRFinderResult(2 iterations from lr 0.1 to 0.2, the smoothed loss diverged, no suggestion: the
    curve has fewer than 20 points)
    >>> LRFinderResult.from_json(result.to_json()) == result
    True
    """

    def __init__(
        self,
        lrs: "Union[Sequence[float], np.ndarray]",
        losses: "Union[Sequence[float], np.ndarray]",
        reason: StopReason,
        num_iter: Optional[int] = None,
        runs: "Sequence[LRFinderResult]" = (),
        refined: "Optional[LRFinderResult]" = None,
        length: Optional[int] = None,
        passes: Optional[float] = None,
        usual: Optional[float] = None,
        held_out: bool = False,
        groups: "Sequence[LRFinderResult]" = (),
        together: "Optional[LRFinderResult]" = None,
    ) -> None:
        name = type(self).__name__
        if len(lrs) != len(losses):
            constraint = f"as many as the {len(lrs)} rates"
            raise ValueError(_check.message(name, "losses", constraint, len(losses)))
        self.lrs = np.array(lrs, dtype=np.float64)
        self.losses = np.array(losses, dtype=np.float64)
        self.reason = reason
        self.num_iter = len(lrs) if num_iter is None else num_iter
        _check.integer(name, "num_iter", self.num_iter, len(lrs))
        self.runs = tuple(runs)
        self.refined = refined
        self.length = None if length is None else _check.integer(name, "length", length, 1)
        self.passes = None if passes is None else _check.real(name, "passes", passes, above=0)
        self.usual = None if usual is None else _check.real(name, "usual", usual, above=0)
        self.held_out = bool(held_out)
        self.groups = tuple(groups)
        self.together = together

    @classmethod
    def of_runs(cls, runs: "Sequence[LRFinderResult]") -> "LRFinderResult":
        """Combine searches: the median loss at each rate, up to the end of the shortest one."""
        shortest = min(runs, key=len)
        losses = np.median([run.losses[: len(shortest)] for run in runs], axis=0)
        return cls(
            shortest.lrs,
            losses,
            shortest.reason,
            shortest.num_iter,
            runs,
            length=shortest.length,
            passes=shortest.passes,
            usual=shortest.usual,
            held_out=shortest.held_out,
        )

    @property
    def suggestion(self) -> Optional[float]:
        """The rate to train at, the highest of a 1-cycle; None if :attr:`refusal` says why.

        It is ``bottom^0.7 * edge^0.2 * 0.05^0.1 / 2``. At the rate bottom the smoothed loss has
        come down; at the rate edge it is rising again. For a training of `length` updates this is
        multiplied by ``(250 / length)^p``, with p = 0.35 below 250 updates and 0.47 above, and
        kept within the rates of the search.
        """
        return self.suggest()

    def suggest(self, skip_begin: int = 0, skip_end: int = 0) -> Optional[float]:
        """Return what :attr:`suggestion` would be without points at the ends; None if none.

        Parameters
        ----------
        skip_begin, skip_end : int
            How many points to leave out at the start and at the end, at least 0. They are points
            of the refining search, if that has replaced the suggestion.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds.
        """
        name = f"{type(self).__name__}.suggest"
        skip_begin = _check.integer(name, "skip_begin", skip_begin, 0)
        skip_end = _check.integer(name, "skip_end", skip_end, 0)
        rate = self._read(skip_begin, skip_end)[0]
        if rate is None or self.length is None:
            return rate
        lrs = self.lrs[np.isfinite(self.losses)]
        return float(np.clip(rate * shift_of_sweep(self.length), lrs[0], lrs[-1]))

    @property
    def refusal(self) -> Optional[Refusal]:
        """Why there is no suggestion; None if there is one."""
        refusal = self._read()[1]
        return _SOON.get(self.reason, refusal) if refusal is Refusal.TOO_SHORT else refusal

    @property
    def interval(self) -> Optional[Tuple[float, float]]:
        """The bounds of the best rate in 4 of 5 trainings; None without a suggestion.

        They are the suggestion divided by and multiplied by ``10^d``, with
        d = 0.5 + 0.33 log10(passes). `passes` counts as at least 1, and as 10 if unknown.
        """
        if self.suggestion is None:
            return None
        return around(self.suggestion, decades_of_sweep(self.passes))

    @property
    def by_group(self) -> Optional[List[float]]:
        """The rate of each parameter group, for a fit; None if that was not requested.

        If the search of all groups together has no suggestion, each group gets the suggestion for
        all. It is also None if there is no suggestion for all.
        """
        if not self.groups or self.suggestion is None:
            return None
        last = None if self.together is None else self.together.suggestion
        if last is None:
            return [self.suggestion] * len(self.groups)
        return [last * share for share in self.proportions]

    @property
    def proportions(self) -> List[float]:
        """The rate of each group divided by that of the last, from the searches of each alone.

        A search with no suggestion counts as the suggestion for all.
        """
        rates = [one.suggestion or self.suggestion or math.nan for one in self.groups]
        return [rate / rates[-1] for rate in rates]

    @property
    def suggestions(self) -> Dict[str, Optional[float]]:
        """Our suggestion and those of fastai, by the names of their rules.

        `minimum`, `steep`, `valley` and `slide` are fastai's, `min_grad` is fastai 1's. All use
        losses smoothed as in fastai. They are None only for a curve that is too short.
        """
        fastai = suggest.fastai_suggestions(*self._unskipped(), self.num_iter)
        return {"gluon_lr": self.suggestion, **fastai}

    @property
    def spread(self) -> Optional[Tuple[float, float]]:
        """The lowest and the highest suggestion of the runs; None if there is none."""
        found = [run.suggestion for run in self.runs if run.suggestion is not None]
        return (min(found), max(found)) if found else None

    def plot(
        self,
        ax: "Optional[Axes]" = None,
        skip_start: int = 0,
        skip_end: int = 0,
        show: bool = False,
    ) -> "Axes":
        """Plot the losses over the rates, with the suggestion marked, and return the Axes.

        The same axes show the refining search and the searches of groups. A band shows the
        interval, and another the range of suggestions of repeated searches. A triangle at the
        border stands for a loss beyond the limits of the axes, or one that is not finite.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw on; those of a new figure by default.
        skip_start, skip_end : int
            Points to leave out, at the start and at the end of each search, at least 0.
        show : bool
            Whether to show the figure, also in a script.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds.
        """
        name = f"{type(self).__name__}.plot"
        skip_start = _check.integer(name, "skip_start", skip_start, 0)
        skip_end = _check.integer(name, "skip_end", skip_end, 0)
        searches = {"loss of each iteration": self._curve(skip_start, skip_end)}
        if self.refined is not None:
            searches["refining search"] = self.refined._curve(skip_start, skip_end)
        for number, group in enumerate(self.groups):
            searches[f"group {number} alone"] = group._curve(skip_start, skip_end)
        suggested, bands = marks_of(self.suggestion, self.interval)
        if self.spread is not None:
            low, high = self.spread
            bands[f"of {len(self.runs)} searches, {low:.2g} to {high:.2g}"] = self.spread
        told = answer(self.suggestion, self.refusal, self.usual)
        title = f"{told}\n{len(self)} iterations: {self.reason}"
        lines = lines_of_groups(self.by_group)
        axes = plotting.plot_search(searches, title, suggested, lines, bands, ax)
        return plotting.shown(axes, show)

    def to_json(self) -> str:
        """Return the result as JSON, with suggestion and interval.

        Losses that are not finite become the strings nan, inf and -inf.
        """
        refusal = self.refusal and str(self.refusal)
        found = {"suggestion": self.suggestion, "interval": self.interval, "refusal": refusal}
        return json.dumps({**found, "by_group": self.by_group, **self._as_data()})

    @classmethod
    def from_json(cls, text: str) -> "LRFinderResult":
        """Read what :meth:`to_json` wrote, also in versions without `length`.

        Raises
        ------
        ValueError
            If the text is anything else.
        """
        with read_json(cls.__name__, "LRFinderResult", text) as data:
            return cls._from_data(data)

    def _curve(self, skip_start: int, skip_end: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return rates, losses, and smoothed finite losses, without points at the ends."""
        finite = np.isfinite(self.losses)
        smoothed = np.full(len(self), np.nan)
        if finite.any():
            smoothed[finite] = suggest.smooth(self.losses[finite])
        ends = slice(skip_start, max(len(self) - skip_end, 0))
        return self.lrs[ends], self.losses[ends], smoothed[ends]

    def _read(
        self, skip_begin: int = 0, skip_end: int = 0
    ) -> Tuple[Optional[float], Optional[Refusal]]:
        """Return the rate for a training of 250 updates, or why there is none."""
        if self.refined is not None and self.refined.suggestion is not None:
            return self.refined._read(skip_begin, skip_end)
        rule = suggest.lowest_held_out if self.held_out else suggest.suggest
        ends = slice(skip_begin, max(len(self) - skip_end, 0))
        return rule(*self._unskipped(ends))

    def _unskipped(self, part: slice = slice(None)) -> Tuple[np.ndarray, np.ndarray]:
        """Return rates and losses of a part; only trailing losses may be not finite."""
        lrs, losses = self.lrs[part], self.losses[part]
        finite = np.flatnonzero(np.isfinite(losses))
        if not len(finite):
            return lrs, losses
        kept = [*finite, *range(finite[-1] + 1, len(losses))]
        return lrs[kept], losses[kept]

    @property
    def _suggested(self) -> str:
        if self.interval is None:
            return f"no suggestion: {suggest.why_none(self.refusal, self.usual)}"
        low, high = self.interval
        between = f"{low:.2g} to {high:.2g}{told_by_group(self.by_group)}"
        return f"suggestion {self.suggestion:.3g}, {between}"

    def _as_data(self) -> Dict[str, Any]:
        return {
            "lrs": self.lrs.tolist(),
            "losses": [written_number(loss) for loss in self.losses.tolist()],
            "reason": self.reason.name,
            "num_iter": self.num_iter,
            "runs": [run._as_data() for run in self.runs],
            "refined": self.refined and self.refined._as_data(),
            "length": self.length,
            "passes": self.passes,
            "usual": self.usual,
            "held_out": self.held_out,
            "groups": [group._as_data() for group in self.groups],
            "together": None if self.together is None else self.together._as_data(),
        }

    @classmethod
    def _from_data(cls, data: Dict[str, Any]) -> "LRFinderResult":
        return cls(
            [float(lr) for lr in data["lrs"]],
            [float(loss) for loss in data["losses"]],
            StopReason[data["reason"]],
            data["num_iter"],
            [cls._from_data(run) for run in data["runs"]],
            data["refined"] and cls._from_data(data["refined"]),
            data.get("length"),
            data.get("passes"),
            data.get("usual"),
            data.get("held_out", False),
            [cls._from_data(group) for group in data.get("groups", ())],
            data.get("together") and cls._from_data(data["together"]),
        )

    @overload
    def __getitem__(self, index: int) -> Tuple[float, float]: ...

    @overload
    def __getitem__(self, index: slice) -> List[Tuple[float, float]]: ...

    def __getitem__(
        self, index: Union[int, slice]
    ) -> Union[Tuple[float, float], List[Tuple[float, float]]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return float(self.lrs[index]), float(self.losses[index])

    def __len__(self) -> int:
        return len(self.lrs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LRFinderResult):
            return NotImplemented
        return self._as_data() == other._as_data()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if len(self) == 0:
            return f"LRFinderResult(0 iterations, {self.reason})"
        return (
            f"LRFinderResult({len(self)} iterations from lr {self.lrs[0]:.3g} to "
            f"{self.lrs[-1]:.3g}, {self.reason}, {self._suggested})"
        )

    def _repr_html_(self) -> str:
        cells: Dict[str, str] = {}
        if self.interval is not None:
            cells["suggestion"] = f"{self.suggestion:.3g}"
            cells["80 % interval"] = "{:.2g} to {:.2g}".format(*self.interval)
        else:
            cells["no suggestion"] = str(self.refusal)
            if self.usual is not None:
                cells["usual rate"] = f"{self.usual:.3g}"
        if self.by_group is not None:
            cells["by group"] = ", ".join(f"{rate:.3g}" for rate in self.by_group)
        cells.update({"iterations": str(len(self)), "end": str(self.reason)})
        if self.refusal is not None:
            cells["what to do"] = self.refusal.remedy
        return _html.table(type(self).__name__, [cells, cells.values()])


@contextlib.contextmanager
def read_json(owner: str, writer: str, text: str) -> Iterator[Any]:
    """Yield the parsed JSON to a block; any error in the block becomes a ValueError on the text."""
    try:
        yield json.loads(text)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        constraint = f"the output of {writer}.to_json()"
        message = _check.message(f"{owner}.from_json", "text", constraint, text[:80])
        raise ValueError(f"{message} {type(error).__name__}: {error}") from None


def written_number(number: float) -> Union[float, str]:
    """Return a number for JSON: one that is not finite as the string nan, inf or -inf."""
    return number if math.isfinite(number) else str(number)


def told_by_group(rates: Optional[Sequence[float]]) -> str:
    """Return the rates of the groups as text, to follow the suggestion."""
    return "" if rates is None else f", by group {', '.join(f'{rate:.3g}' for rate in rates)}"


def answer(suggestion: Optional[float], refusal: Optional[Refusal], usual: Optional[float]) -> str:
    """Return the title of a plot: the suggestion, or why there is none."""
    if suggestion is None:
        return f"No rate suggested: {suggest.why_none(refusal, usual)}"
    return f"Suggested rate: {suggestion:.2g}"


def marks_of(
    suggestion: Optional[float], interval: Optional[Tuple[float, float]]
) -> Tuple[Dict[str, float], Dict[str, Tuple[float, float]]]:
    """Return the marks of a plot by their labels: the suggestion and its interval."""
    if suggestion is None:
        return {}, {}
    if interval is None:
        return {f"{suggestion:.2g}": suggestion}, {}
    text = "{:.2g} ({:.2g} to {:.2g})".format(suggestion, *interval)
    return {text: suggestion}, {"80 % interval": interval}


def lines_of_groups(rates: Optional[Sequence[float]]) -> Dict[str, float]:
    """Return the rates of groups by their labels in a plot."""
    return {f"group {number}, {rate:.2g}": rate for number, rate in enumerate(rates or ())}
