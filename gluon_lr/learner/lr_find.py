"""The search as fastai does it: its rates, its stop, its two suggestions."""

import math
from typing import Any, Optional, Tuple

from .. import _check
from ..finder.finder import LRFinder
from ..finder.result import LRFinderResult
from ..finder.stopping import AboveBest, SearchState
from ..finder.suggest import why_none


class SuggestedLRs(Tuple[Optional[float], Optional[float]]):
    """What fastai suggests, two values to unpack, and what we do.

    Attributes
    ----------
    lr_min : float or None
        A tenth of the rate of the lowest loss; None on a curve too short.
    lr_steep : float or None
        The rate at which the loss falls most steeply.
    suggestion : float or None
        The rate to train at, by :func:`gluon_lr.finder.suggest.suggest`.
    interval : (float, float) or None
        Between which rates the best one lies, for 4 of 5 trainings.
    usual : float or None
        The rate that the optimizer usually does best with; None where that is not known.
    result : LRFinderResult
        The whole search.
    """

    result: LRFinderResult

    @classmethod
    def of(cls, result: LRFinderResult) -> "SuggestedLRs":
        """Return the suggestions of a search."""
        suggestions = result.suggestions
        suggested = cls((suggestions["minimum"], suggestions["steep"]))
        suggested.result = result
        return suggested

    @property
    def lr_min(self) -> Optional[float]:
        """A tenth of the rate of the lowest loss; None on a curve too short."""
        return self[0]

    @property
    def lr_steep(self) -> Optional[float]:
        """The rate at which the loss falls most steeply."""
        return self[1]

    @property
    def suggestion(self) -> Optional[float]:
        """The rate to train at, of our own rule; None where it refuses."""
        return self.result.suggestion

    @property
    def interval(self) -> Optional[Tuple[float, float]]:
        """Between which rates the best one lies, for 4 of 5 trainings; None where it refuses."""
        return self.result.interval

    @property
    def usual(self) -> Optional[float]:
        """The rate that the optimizer usually does best with; None where that is not known."""
        return self.result.usual

    def __repr__(self) -> str:
        refused = ""
        if self.suggestion is None:
            refused = f", {why_none(self.result.refusal, self.usual)}"
        return (
            f"SuggestedLRs(lr_min={_short(self.lr_min)}, lr_steep={_short(self.lr_steep)}, "
            f"suggestion={_short(self.suggestion)}{refused})"
        )


def lr_find(
    learner: Any,
    start_lr: float = 1e-7,
    end_lr: float = 10,
    num_it: int = 100,
    stop_div: bool = True,
    progress: bool = True,
) -> LRFinderResult:
    """Search as fastai does, for any learner that :class:`LRFinder` takes.

        lr(i) = start_lr * (end_lr / start_lr)^(i / num_it)    i = 0 ... num_it - 1

    Parameters
    ----------
    learner : Learner
        Or an object with `iteration`, `net` and `trainer`.
    start_lr, end_lr, num_it, stop_div
        As :meth:`gluon_lr.Learner.lr_find` takes them.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds.
    """
    start_lr = _check.real("lr_find", "start_lr", start_lr, above=0)
    end_lr = _check.real("lr_find", "end_lr", end_lr, above=start_lr)
    num_it = _check.integer("lr_find", "num_it", num_it, 2)
    last = math.exp(math.log(start_lr) + math.log(end_lr / start_lr) * (num_it - 1) / num_it)
    stop = AboveBest() if stop_div else _never
    finder = LRFinder(learner)
    return finder.find(
        lr_start=start_lr, lr_end=last, num_iter=num_it, stop=stop, progress=progress
    )


def _never(state: SearchState) -> bool:
    return False


def _short(rate: Optional[float]) -> str:
    return "None" if rate is None else f"{rate:.3g}"
