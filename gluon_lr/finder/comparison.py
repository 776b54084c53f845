"""The result of a comparison: a row for each setting, and the winner if there is one."""

import json
import math
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
    overload,
)

import numpy as np

from .. import _check, _html, plotting
from .result import LRFinderResult, read_json, written_number
from .told_apart import told_apart
from .tune_result import TuneResult, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Label = Union[float, int, str]
Setting = Dict[str, Label]

_NAMED = 6  # settings in a sentence
_KINDS = {one.__name__: one for one in (LRFinderResult, TuneResult)}


class Compared(NamedTuple):
    """The result of one setting.

    Attributes
    ----------
    setting : dict
        The values by name: numbers, or the names of optimizers and nets.
    result : LRFinderResult or TuneResult
        The search, or the trials.
    losses : tuple of float
        The loss by which each repeat is judged: the lowest smoothed loss of a sweep, or the
        held-out loss after a full-length trial. The first of the trials is at the better of two
        rates. For a trial that diverged, it is the loss before the trial.
    updates : int
        The updates that were made.
    seconds : float
        The seconds that they took.
    momentum : float or None
        The momentum of SGD or NAG.
    unsure : float
        An error of `losses` in addition to random variation: the difference between the losses at
        the two rates that were tried in full, since the best rate is not known more closely.
    dropped : bool
        Whether the race went on without it. `losses` then has fewer repeats, or none.
    noise_scale : float or None
        The gradient noise scale of its last trial, in samples, if batch sizes are compared by
        trials on several contexts or workers: :class:`gluon_lr.GradientNoiseScale`.
    """

    setting: Setting
    result: Union[LRFinderResult, TuneResult]
    losses: Tuple[float, ...]
    updates: int
    seconds: float
    momentum: Optional[float] = None
    unsure: float = 0.0
    dropped: bool = False
    noise_scale: Optional[float] = None

    @property
    def name(self) -> str:
        """The setting as a string."""
        return name_of(self.setting)

    @property
    def suggestion(self) -> Optional[float]:
        """The rate to train at with this setting; None if ``result.refusal`` says why."""
        return self.result.suggestion

    @property
    def interval(self) -> Optional[Tuple[float, float]]:
        """The bounds of the best rate in 4 of 5 trainings."""
        return self.result.interval

    @property
    def effective_lr(self) -> Optional[float]:
        """The suggestion times :attr:`steps`, which is the size of a step in the long run."""
        return None if self.suggestion is None else self.suggestion * self.steps

    @property
    def steps(self) -> float:
        """The size of a step in the long run as a multiple of the rate, 1 / (1 - momentum) or 1."""
        return 1 / (1 - (self.momentum or 0.0))

    @property
    def loss(self) -> float:
        """The mean of `losses`; infinite if there are none."""
        return float(np.mean(self.losses)) if self.losses else math.inf


class Best(NamedTuple):
    """The setting that won.

    Attributes
    ----------
    setting : dict
        The values by name.
    suggestion : float or None
        The rate to train at with it; None if its values were not tried together.
    reason : str
        Why it is the best.
    """

    setting: Setting
    suggestion: Optional[float]
    reason: str


class Comparison(Sequence[Compared]):
    """The result of :meth:`gluon_lr.LRFinder.compare`: a row for each setting, in their order.

    Rows that set the same names are compared with one another. A row wins if it has the lowest
    loss, every other row is above it by more than repeats of one setting differ, and it has a
    suggestion. The others need no suggestion, because a search may have none by chance.

    Parameters
    ----------
    rows : sequence of Compared
        One per setting.
    tuned : bool
        Whether they were judged by trials, not by sweeps.

    Attributes
    ----------
    apart : tuple of bool
        For each row, whether its loss differs significantly from the lowest.
    best : Best or None
        The winner. If names were compared one by one, it joins the winners of all names that have
        one.
    reason : str
        Why there is a winner, or none.

    Raises
    ------
    ValueError
        If there are no rows.
    """

    def __init__(self, rows: Sequence[Compared], tuned: bool) -> None:
        if not rows:
            raise ValueError(_check.message("Comparison", "rows", "one or more", rows))
        self.rows = tuple(rows)
        self.tuned = bool(tuned)
        families = self._families()
        apart = {id(row): one for family in families for row, one in zip(family.rows, family.apart)}
        self.apart = tuple(apart[id(row)] for row in self.rows)
        self.reason = " ".join(family.reason for family in families)
        self.best = _best_of(families)

    @property
    def lowest(self) -> Compared:
        """The row with the lowest loss, even if the others do not differ significantly."""
        return min(self.rows, key=lambda row: (row.dropped, row.loss))

    @property
    def updates(self) -> int:
        """The updates of all settings."""
        return sum(row.updates for row in self.rows)

    def plot(
        self, ax: "Optional[Axes]" = None, effective: bool = False, show: bool = False
    ) -> "Axes":
        """Plot the losses of all over their rates, with a dot at each suggestion; return the Axes.

        Sweeps are smoothed. For trials, the losses after the longest ones of each setting are
        plotted. The line is dotted if these are the short trials of a setting that was dropped.
        The dot of a setting that was trained in full is at the mean loss over all orders of the
        data.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw on; those of a new figure by default.
        effective : bool
            Whether to plot over lr / (1 - momentum). This brings the curves of SGD or NAG with
            different momenta closer together.
        show : bool
            Whether to show the figure, also in a script.
        """
        curves, dots = {}, {}
        for row in self.rows:
            rates, losses = self._curve(row)
            times = row.steps if effective else 1.0
            curves[row.name] = (rates * times, losses)
            if row.suggestion is not None and len(rates):
                height = row.loss
                if not (self.tuned and row.losses):
                    height = float(np.interp(math.log(row.suggestion), np.log(rates), losses))
                dots[row.name] = (row.suggestion * times, height)
        xlabel = "learning rate / (1 - momentum)" if effective else "learning rate"
        ylabel = "held-out loss" if self.tuned else "loss, smoothed"
        dotted = [row.name for row in self.rows if row.dropped and not row.losses]
        axes = plotting.plot_comparison(curves, dots, dotted, self.reason, xlabel, ylabel, ax)
        return plotting.shown(axes, show)

    def _curve(self, row: Compared) -> Tuple[np.ndarray, np.ndarray]:
        if isinstance(row.result, LRFinderResult):
            rates, _, smoothed = row.result._curve(0, 0)
            finite = np.isfinite(smoothed)
            return rates[finite], smoothed[finite]
        longest = max((one.length for one in row.result.trials), default=0)
        ended = points(one for one in row.result.trials if one.length == longest)
        rates, losses = np.reshape(ended, (-1, 2)).T
        return rates, losses

    def to_json(self) -> str:
        """Return the result as JSON; losses that are not finite become strings: nan, inf, -inf."""
        found = {"reason": self.reason, "best": self.best and self.best._asdict()}
        return json.dumps({**found, **self._as_data()})

    @classmethod
    def from_json(cls, text: str) -> "Comparison":
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ValueError
            If the text is anything else.
        """
        with read_json(cls.__name__, "Comparison", text) as data:
            return cls([_row_of(one) for one in data["rows"]], data["tuned"])

    def _as_data(self) -> Dict[str, Any]:
        return {"rows": [_data_of(row) for row in self.rows], "tuned": self.tuned}

    def _families(self) -> "List[_Family]":
        by_names: Dict[Tuple[str, ...], List[Compared]] = {}
        for row in self.rows:
            by_names.setdefault(tuple(row.setting), []).append(row)
        return [_Family(names, rows, self.tuned) for names, rows in by_names.items()]

    @overload
    def __getitem__(self, index: int) -> Compared: ...

    @overload
    def __getitem__(self, index: slice) -> List[Compared]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[Compared, List[Compared]]:
        return list(self.rows[index]) if isinstance(index, slice) else self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Comparison):
            return NotImplemented
        return self._as_data() == other._as_data()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self._table)]
        lines = ["  ".join(map(str.ljust, cells, widths)).rstrip() for cells in self._table]
        return "\n".join([*lines, self._told])

    def _repr_html_(self) -> str:
        return _html.table(self._told, self._table)

    @property
    def _told(self) -> str:
        """Why there is a winner or none, and why some settings have no rate."""
        refused = [
            f"{row.name} has no suggestion: {row.result.refusal}."
            for row in self.rows
            if row.suggestion is None
        ]
        return "\n".join([self.reason, *refused])

    @property
    def _table(self) -> List[List[str]]:
        head = ["setting", "suggestion", "80 % interval", self._judged_by, "seconds"]
        with_noise = any(row.noise_scale is not None for row in self.rows)
        table = [head + ["noise scale"] * with_noise]
        for row, apart in zip(self.rows, self.apart):
            rate, between = "none", ""
            if row.suggestion is not None and row.interval is not None:
                rate, between = f"{row.suggestion:.3g}", "{:.2g} to {:.2g}".format(*row.interval)
            worse = " (worse)" if apart and math.isfinite(row.loss) else ""
            loss = "dropped" if row.dropped else f"{row.loss:.4g}{worse}"
            noise = "" if row.noise_scale is None else f"{row.noise_scale:.3g}"
            cells = [row.name, rate, between, loss, f"{row.seconds:.1f}"]
            table.append(cells + [noise] * with_noise)
        return table

    @property
    def _judged_by(self) -> str:
        return "held-out loss" if self.tuned else "lowest smoothed loss"


class _Family:
    """Rows that set the same names."""

    def __init__(self, names: Sequence[str], rows: List[Compared], tuned: bool) -> None:
        self.rows = rows
        self.apart = [row.dropped for row in rows]
        self.winner: Optional[Compared] = None
        self.reason = f"{', '.join(names)}: {self._judged('batch_size' in names, tuned)}."

    def _judged(self, of_batch_sizes: bool, tuned: bool) -> str:
        """Note which rows differ significantly; return which has won, or why none has."""
        if len(self.rows) == 1:
            return "there is only one setting, so there is nothing to compare"
        if of_batch_sizes and not tuned:
            return "sweeps cannot show the best batch size; pass tune=True to compare by trials"
        judged = [row for row in self.rows if not row.dropped]
        if all(row.suggestion is None for row in judged):
            return "no setting has a suggestion"
        verdict = told_apart([row.losses for row in judged], [row.unsure for row in judged])
        near = [row for row, is_apart in zip(judged, verdict.apart) if not is_apart]
        self.apart = [not any(row is one for one in near) for row in self.rows]
        lowest = min(row.loss for row in near)
        if len(near) == 1:
            others = [row.loss for row in judged if row is not near[0]]
            beside = ""
            if others:
                have_loss = math.isfinite(min(others))
                beside = f"{min(others):.4g} or more" if have_loss else "diverged"
                beside = f", the others {beside}"
            found = f"{lowest:.4g}{beside}"
            if near[0].suggestion is None:
                return f"{near[0].name} has the lowest loss, {found}, but no suggestion"
            self.winner = near[0]
            return f"{near[0].name} is the best, {found}"
        names = "; ".join(row.name for row in near[:_NAMED])
        if near[_NAMED:]:
            names += f"; and {len(near) - _NAMED} more"
        if verdict.margin is None:
            remedy = "increase `budget`" if tuned else "pass repeats=3"
            unknown = "no winner, because the random variation is unknown"
            return f"{unknown}: {names} ({remedy}, and shuffle the data)"
        highest = max(row.loss for row in near)
        why = "the differences may be due to chance or to a rate that is not the best"
        return f"no significant difference: {names} ({lowest:.4g} to {highest:.4g}; {why})"


def _best_of(families: "List[_Family]") -> Optional[Best]:
    winners = [family.winner for family in families if family.winner is not None]
    if not winners:
        return None
    setting = {name: value for row in winners for name, value in row.setting.items()}
    reason = " ".join(family.reason for family in families if family.winner is not None)
    return Best(setting, winners[0].suggestion if len(families) == 1 else None, reason)


def _data_of(row: Compared) -> Dict[str, Any]:
    losses = [written_number(loss) for loss in row.losses]
    kind, result = type(row.result).__name__, json.loads(row.result.to_json())
    return {**row._asdict(), "losses": losses, "kind": kind, "result": result}


def _row_of(data: Dict[str, Any]) -> Compared:
    losses = tuple(map(float, data["losses"]))
    result = _KINDS[data.pop("kind")].from_json(json.dumps(data.pop("result")))
    return Compared(**{**data, "losses": losses, "result": result})


def name_of(setting: Setting) -> str:
    """Return a setting as a string."""
    return ", ".join(f"{name} {_short(value)}" for name, value in setting.items())


def _short(value: Label) -> str:
    return value if isinstance(value, str) else f"{value:g}"
