"""The result of a tune, and its trials."""

import json
import math
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np

from .. import _html, plotting
from . import suggest
from .climb import parabola
from .result import (
    answer,
    lines_of_groups,
    marks_of,
    read_json,
    told_by_group,
    written_number,
)
from .suggest import Refusal

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Trial(NamedTuple):
    """A trial: one training of a tune.

    Attributes
    ----------
    rate : float
        Its highest rate.
    length : int
        Updates that were planned.
    loss : float
        The loss on held-out data after it; infinite if it diverged.
    seconds : float
        How long it took, including validation.
    losses : tuple of float
        The training loss of each update that was made.
    """

    rate: float
    length: int
    loss: float
    seconds: float
    losses: Tuple[float, ...] = ()


class TuneResult:
    """The result of :meth:`gluon_lr.LRFinder.tune`.

    Attributes
    ----------
    suggestion : float or None
        The highest rate to train at; None if :attr:`refusal` says why.
    interval : (float, float) or None
        The bounds of the best rate in 4 of 5 trainings.
    trials : tuple of Trial
        The trials, in the order in which they were made.
    cost : int
        Updates that were spent.
    refusal : Refusal or None
        Why there is no suggestion; None if there is one.
    usual : float or None
        The rate with which the optimizer usually does best; None if unknown.
    length : int
        Updates of the training that the rate is for.
    budget : int
        The most updates to spend.
    policy : str
        The policy of the trials.
    began : float or None
        The loss before a training; None if there were no trials.
    kept : bool
        Whether the best trial was kept as the training, so that the learner is at its end.
    by_group : list of float or None
        The highest rate of each parameter group, if requested and found.
    groups : tuple of tuples of Trial
        The trials of each group, with the rates of that group. A group that is frozen has none.
    """

    def __init__(
        self,
        suggestion: Optional[float],
        interval: Optional[Tuple[float, float]],
        trials: Sequence[Trial],
        cost: int,
        refusal: Optional[Refusal],
        usual: Optional[float],
        length: int,
        budget: int,
        policy: str,
        began: Optional[float],
        kept: bool,
        by_group: Optional[Sequence[float]] = None,
        groups: Sequence[Sequence[Trial]] = (),
    ) -> None:
        self.suggestion = suggestion
        self.interval = interval
        self.trials = tuple(trials)
        self.cost = cost
        self.refusal = refusal
        self.usual = usual
        self.length = length
        self.budget = budget
        self.policy = policy
        self.began = began
        self.kept = kept
        self.by_group = None if by_group is None else list(by_group)
        self.groups = tuple(map(tuple, groups))

    def plot(self, ax: "Optional[Axes]" = None, show: bool = False) -> "Axes":
        """Plot the trials' losses over their rates, with parabola and interval; return the Axes.

        Without `ax`, the training loss of each trial is plotted beside it. `show` shows the
        figure, also in a script.
        """
        suggested, bands = marks_of(self.suggestion, self.interval)
        trials = {
            f"after {length} updates": [one for one in self.trials if one.length == length]
            for length in self._lengths
        }
        trials.update((f"of group {n}", list(group)) for n, group in enumerate(self.groups))
        curves = [
            (f"lr {one.rate:.2g}{of}", one.rate, suggest.centred_mean(np.array(one.losses)))
            for of, one in self._all_trials
        ]
        axes = plotting.plot_trials(
            {label: sorted((one.rate, one.loss) for one in some) for label, some in trials.items()},
            self._parabola,
            self.began,
            self._title,
            suggested,
            lines_of_groups(self.by_group),
            bands,
            curves,
            ax,
        )
        return plotting.shown(axes, show)

    def to_json(self) -> str:
        """Return the result as JSON; losses that are not finite become strings: nan, inf, -inf."""
        return json.dumps(self._as_data())

    @classmethod
    def from_json(cls, text: str) -> "TuneResult":
        """Read what :meth:`to_json` wrote, also in versions without groups.

        Raises
        ------
        ValueError
            If the text is anything else.
        """
        with read_json(cls.__name__, "TuneResult", text) as data:
            trials = list(map(_read_trial, data.pop("trials")))
            groups = [list(map(_read_trial, group)) for group in data.pop("groups", ())]
            interval = data.pop("interval")
            refusal = data.pop("refusal")
            return cls(
                trials=trials,
                groups=groups,
                interval=interval and (interval[0], interval[1]),
                refusal=refusal and Refusal(refusal),
                **data,
            )

    @property
    def _lengths(self) -> List[int]:
        return sorted({one.length for one in self.trials})

    @property
    def _all_trials(self) -> Iterator[Tuple[str, Trial]]:
        """Each trial in order, with the name of its group, or an empty name if it has none."""
        yield from (("", one) for one in self.trials)
        for number, group in reversed(list(enumerate(self.groups))):
            yield from ((f" of group {number}", one) for one in group)

    @property
    def _parabola(self) -> Optional[Tuple[np.ndarray, np.ndarray]]:
        """The parabola through the best of the longest trials and its neighbours, which decides."""
        if not self.trials or self.began is None:
            return None
        decisive = sorted(one for one in self.trials if one.length == self._lengths[-1])
        losses = [min(one.loss, self.began) for one in decisive]
        best = losses.index(min(losses))
        if not 0 < best < len(losses) - 1:
            return None
        near = slice(best - 1, best + 2)
        rates = np.array([one.rate for one in decisive[near]])
        return parabola(rates, np.array(losses[near]))

    def _as_data(self) -> Dict[str, Any]:
        trials = list(map(_written_trial, self.trials))
        groups = [list(map(_written_trial, group)) for group in self.groups]
        refusal = self.refusal and self.refusal.value
        return {**vars(self), "trials": trials, "refusal": refusal, "groups": groups}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TuneResult):
            return NotImplemented
        return self._as_data() == other._as_data()

    __hash__ = None  # type: ignore[assignment]

    @property
    def _title(self) -> str:
        told = answer(self.suggestion, self.refusal, self.usual)
        return (
            f"{told}\n{self.policy}, {self.length} updates: "
            f"{len(list(self._all_trials))} trials, {self.cost} updates in total"
        )

    @property
    def _suggested(self) -> str:
        if self.suggestion is None:
            return f"no suggestion: {suggest.why_none(self.refusal, self.usual)}"
        between = ""
        if self.interval is not None:
            between = f", {self.interval[0]:.2g} to {self.interval[1]:.2g}"
        kept = ", kept" if self.kept else ""
        return f"suggestion {self.suggestion:.3g}{between}{told_by_group(self.by_group)}{kept}"

    def __repr__(self) -> str:
        return (
            f"TuneResult({self._suggested}, for {self.length} updates of {self.policy}, by "
            f"{len(list(self._all_trials))} trials, {self.cost} updates in total)"
        )

    def _repr_html_(self) -> str:
        head = ("rate", "updates", "held-out loss", "seconds")
        rows = [
            (f"{one.rate:.3g}{of}", str(one.length), f"{one.loss:.4g}", f"{one.seconds:.1f}")
            for of, one in self._all_trials
        ]
        return _html.table(repr(self), [head, *rows])


def points(trials: Iterable[Trial]) -> List[Tuple[float, float]]:
    """Return rates and losses of the trials with a finite loss, sorted by rate."""
    return sorted((one.rate, one.loss) for one in trials if math.isfinite(one.loss))


def _written_trial(trial: Trial) -> Dict[str, Any]:
    losses = list(map(written_number, trial.losses))
    return {**trial._asdict(), "loss": written_number(trial.loss), "losses": losses}


def _read_trial(data: Dict[str, Any]) -> Trial:
    return Trial(
        float(data["rate"]),
        data["length"],
        float(data["loss"]),
        float(data["seconds"]),
        tuple(map(float, data["losses"])),
    )
