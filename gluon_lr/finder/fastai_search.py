"""A search as in fastai: a callback that turns a fit into a range test."""

import math
from typing import Any, Dict, List, Optional, Union

import numpy as np

from .. import _check
from ..events import Callback, CancelFitException, CancelValidateException, event
from ..hyper.annealing import SchedExp
from ..hyper.group_rates import Rate
from ..hyper.parameters import HyperParameters
from .bounds import Bounds
from .result import LRFinderResult, StopReason
from .stopping import AboveBest, Criterion, SearchState
from .usual import LENGTH, passes_of, usual_rate


def fastai_stop(owner: str, stop_div: Union[bool, float]) -> Criterion:
    """Return the criterion for fastai's `stop_div`, which may also be a number here.

    Raises
    ------
    TypeError, ValueError
        If it is neither a boolean nor a number above 1.
    """
    if isinstance(stop_div, (bool, np.bool_)):
        return AboveBest() if stop_div else _never
    remedy = "Or pass True or False."
    return AboveBest(_check.real(owner, "stop_div", stop_div, above=1, remedy=remedy))


def _never(state: SearchState) -> bool:
    return False


class SearchCallback(Callback):
    """Turn a fit into a search: ``learner.fit(20, cbs=LRFinder(num_it=100))``.

        lr(i) = start_lr * (end_lr / start_lr)^(i / num_it)    i = 0 ... num_it - 1

    The fit ends after `num_it` batches, when it diverges, or after its last epoch. It does not
    validate. Then everything is restored to its state before the fit, except for the recorder,
    which holds the rates and losses of the search.

    Parameters
    ----------
    start_lr, end_lr : float, slice or sequence
        Bounds of the rates, above 0. Pass a slice, or one number per group, for separate bounds.
    num_it : int
        Batches, at least 2.
    stop_div : bool or float
        Whether to stop when the smoothed loss is above 4 times its lowest. A number above 1
        replaces the 4.

    Attributes
    ----------
    scheds : dict
        Curves that a subclass sets instead of the exponential one: ``{"lr": curve}``, or a list
        of curves, one per group.
    """

    def __init__(
        self,
        start_lr: Rate = 1e-7,
        end_lr: Rate = 10,
        num_it: int = 100,
        stop_div: Union[bool, float] = True,
    ) -> None:
        self.start_lr = start_lr
        self.end_lr = end_lr
        self.num_it = _check.integer("LRFinder", "num_it", num_it, 2)
        self.stop_div = stop_div
        self._stop = fastai_stop("LRFinder", stop_div)
        self.scheds: Dict[str, Any] = {}
        self._state = SearchState()
        self._curves: List[Any] = []
        self._begun = 0  # batches
        self._hypers: Optional[HyperParameters] = None
        self.result: Any = None

    @event
    def before_fit(self, learner: Any = None) -> None:
        """Begin the search; the learner has saved the state that it will restore."""
        learner = learner or self.learn
        bounds = Bounds.of("LRFinder", learner, "start_lr", self.start_lr, "end_lr", self.end_lr)
        self._hypers = HyperParameters(learner.trainer, learner.groups)
        curves = self.scheds.get("lr", [SchedExp(*pair) for pair in bounds.pairs])
        self._curves = list(curves) if isinstance(curves, (list, tuple)) else [curves]
        self._state, self._begun = SearchState(), 0

    @event
    def before_batch(self, learner: Any = None) -> None:
        """Set the trainer's rate for this batch."""
        if self._hypers is None:
            raise RuntimeError(
                "LRFinder: the search has not begun. If you override before_fit(), call "
                "super().before_fit() in it."
            )
        rates = [curve(self._begun / self.num_it) for curve in self._curves]
        self._begun += 1
        self._hypers["lr"] = rates if len(rates) > 1 else rates[0]

    @event
    def after_batch(self, learner: Any = None) -> None:
        """Record the rate and the loss of this batch, and end the fit if the search is over."""
        learner = learner or self.learn
        if learner.iteration_loss is not None:  # None if every batch was cancelled
            self._state.append(learner.trainer.learning_rate, learner.iteration_loss)
        if self._reason is not None:
            raise CancelFitException

    @event
    def before_validate(self, learner: Any = None) -> None:
        """Cancel the validation."""
        raise CancelValidateException

    @event
    def after_fit(self, learner: Any = None) -> None:
        """Store the result in the recorder."""
        learner = learner or self.learn
        state, passes = self._state, passes_of(learner, LENGTH)
        self.result = LRFinderResult(
            state.lrs,
            state.losses,
            self._reason or StopReason.FIT_ENDED,
            self.num_it,
            passes=passes,
            usual=usual_rate(learner.trainer.optimizer, LENGTH, passes),
        )
        if state.losses:
            learner.recorder.search = self.result
        self._hypers = None

    @property
    def _reason(self) -> Optional[StopReason]:
        """Why the search ends now; None to continue."""
        state = self._state
        if not state.losses:
            return None
        if not math.isfinite(state.losses[-1]):
            return StopReason.NOT_FINITE
        if self._stop(state):
            return StopReason.DIVERGED
        return StopReason.REACHED_END if self._begun >= self.num_it else None
