"""Warns or raises an error if a loss is not finite."""

import math
from typing import Any

from ... import _check
from ...events import Callback


class TerminateOnNaN(Callback):
    """Warn or raise an error if a loss is not finite, and name the update.

    By default every fit warns; a TerminateOnNaN given to the fit or its Learner replaces this.
    Losses are read two updates late, or ten with several workers, so that MXNet need not wait. So
    a loss that is not finite is also noticed late.

    Parameters
    ----------
    nan : {'raise', 'warn', 'ignore'}
        'raise' raises a FloatingPointError, which ends the fit without ``after_fit``. 'warn' warns
        once per fit. 'ignore' does nothing.

    Raises
    ------
    ValueError
        If it is none of the three.
    """

    order = -40

    def __init__(self, nan: str = "raise") -> None:
        self.nan = _check.one_of(type(self).__name__, "nan", nan, ["raise", "warn", "ignore"])
        self._seen = 0  # the number of losses checked
        self._has_told = False

    def before_fit(self, learner: Any) -> None:
        """Start with the next loss."""
        self._seen = len(learner.recorder)
        self._has_told = False

    def after_batch(self, learner: Any) -> None:
        """Check the new losses that are known without waiting."""
        if self.nan == "ignore" or self._has_told or learner.in_trial:
            return
        for loss in learner.recorder.known_losses(self._seen):
            self._seen += 1
            if not math.isfinite(loss):
                self._tell(loss)
                return

    def after_epoch(self, learner: Any) -> None:
        """Check the last losses of the epoch."""
        self.after_batch(learner)

    def _tell(self, loss: float) -> None:
        self._has_told = True
        text = (
            f"the loss of update {self._seen} is {loss}, and the weights may be nan too. Try a "
            "lower rate or GradientClip(1.0), or look for nan and inf in the data."
        )
        if self.nan == "raise":
            raise FloatingPointError(f"{type(self).__name__}: {text}")
        _check.warn_caller(f"fit: {text} The fit goes on; to end it, pass cbs=TerminateOnNaN().")
