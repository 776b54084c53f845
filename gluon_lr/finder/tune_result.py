"""What a tune found, and the trials it found it by."""

import json
import math
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .. import _check, _html, plotting
from . import suggest
from .climb import parabola
from .result import written_number
from .suggest import Refusal

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Trial(NamedTuple):
    """A training that was tried.

    Attributes
    ----------
    rate : float
        Its highest rate.
    length : int
        Updates it was to have.
    loss : float
        The loss on held-out data after it; infinite where it diverged.
    seconds : float
        How long it took, with its validation.
    losses : tuple of float
        The training loss of each update that was made.
    """

    rate: float
    length: int
    loss: float
    seconds: float
    losses: Tuple[float, ...] = ()


class TuneResult:
    """What :meth:`gluon_lr.LRFinder.tune` found.

    Attributes
    ----------
    suggestion : float or None
        The highest rate to train at; None where :attr:`refusal` says why.
    interval : (float, float) or None
        Between which rates the best one lies, for 4 of 5 trainings.
    trials : tuple of Trial
        What was tried, in its order.
    cost : int
        Updates that were spent.
    refusal : Refusal or None
        Why there is no suggestion; None where there is one.
    usual : float or None
        The rate that the optimizer usually does best with; None where that is not known.
    length : int
        Updates of the training that the rate is for.
    budget : int
        The most updates to spend.
    policy : str
        What the trials were trained by.
    began : float or None
        The loss before a training; None where nothing was tried.
    kept : bool
        Whether the best trial is the training, and the learner is where it led to.
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

    def plot(self, ax: "Optional[Axes]" = None, show: bool = False) -> "Axes":
        """Draw the trials' losses over their rates, with parabola and interval; return the Axes.

        Beside it is the training loss of each trial, where no `ax` is given. `show` shows the
        picture, in a script too.
        """
        lines, bands = {}, {}
        if self.suggestion is not None:
            lines[f"suggestion {self.suggestion:.2g}"] = self.suggestion
        if self.interval is not None:
            low, high = self.interval
            bands[f"4 of 5 best rates, {low:.2g} to {high:.2g}"] = self.interval
        trials = {
            f"after {length} updates": [(one.rate, one.loss) for one in self._of_length(length)]
            for length in self._lengths
        }
        curves = {
            f"lr {one.rate:.2g}": suggest.exponential_mean(np.array(one.losses), weight=0.9)
            for one in self.trials
        }
        axes = plotting.plot_trials(
            trials, self._parabola, self.began, self._title, lines, bands, curves, ax
        )
        return plotting.shown(axes, show)

    def to_json(self) -> str:
        """Return all of it as JSON. Losses that are not finite are the texts nan, inf and -inf."""
        return json.dumps(self._as_data())

    @classmethod
    def from_json(cls, text: str) -> "TuneResult":
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ValueError
            On any other text.
        """
        try:
            data = json.loads(text)
            trials = [
                Trial(
                    float(one["rate"]),
                    one["length"],
                    float(one["loss"]),
                    float(one["seconds"]),
                    tuple(map(float, one["losses"])),
                )
                for one in data.pop("trials")
            ]
            interval = data.pop("interval")
            refusal = data.pop("refusal")
            return cls(
                trials=trials,
                interval=interval and (interval[0], interval[1]),
                refusal=refusal and Refusal(refusal),
                **data,
            )
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            constraint = "what TuneResult.to_json() wrote"
            message = _check.message(f"{cls.__name__}.from_json", "text", constraint, text[:80])
            raise ValueError(f"{message} {type(error).__name__}: {error}") from None

    @property
    def _lengths(self) -> List[int]:
        return sorted({one.length for one in self.trials})

    def _of_length(self, length: int) -> List[Trial]:
        """Return the trials of a length that ended, by their rates."""
        ended = [one for one in self.trials if one.length == length and math.isfinite(one.loss)]
        return sorted(ended)

    @property
    def _parabola(self) -> Optional[Tuple[np.ndarray, np.ndarray]]:
        """The parabola that decides: through the best of the longest trials and its neighbours."""
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
        trials = [
            {
                **one._asdict(),
                "loss": written_number(one.loss),
                "losses": list(map(written_number, one.losses)),
            }
            for one in self.trials
        ]
        refusal = self.refusal and self.refusal.value
        return {**vars(self), "trials": trials, "refusal": refusal}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TuneResult):
            return NotImplemented
        return self._as_data() == other._as_data()

    __hash__ = None  # type: ignore[assignment]

    @property
    def _title(self) -> str:
        title = (
            f"{self.policy}, {self.length} updates: {len(self.trials)} trials, {self.cost} spent"
        )
        return title if self.refusal is None else f"{title}\nno suggestion: {self.refusal}"

    @property
    def _suggested(self) -> str:
        if self.suggestion is None:
            return f"no suggestion: {suggest.why_none(self.refusal, self.usual)}"
        between = ""
        if self.interval is not None:
            between = f", {self.interval[0]:.2g} to {self.interval[1]:.2g}"
        return f"suggestion {self.suggestion:.3g}{between}{', kept' if self.kept else ''}"

    def __repr__(self) -> str:
        return (
            f"TuneResult({self._suggested}, for {self.length} updates of {self.policy}, by "
            f"{len(self.trials)} trials of {self.cost} updates)"
        )

    def _repr_html_(self) -> str:
        head = ("rate", "updates", "held-out loss", "seconds")
        rows = [
            (f"{one.rate:.3g}", str(one.length), f"{one.loss:.4g}", f"{one.seconds:.1f}")
            for one in self.trials
        ]
        return _html.table(repr(self), [head, *rows])
