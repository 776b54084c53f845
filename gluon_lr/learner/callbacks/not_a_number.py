"""What is done about a loss that is not a number."""

import math
from typing import Any

from ... import _check
from ...events import Callback


class TerminateOnNaN(Callback):
    """Warn of a loss that is not finite, or raise an error, and name the update.

    Every fit warns, unless it, or its Learner, is given one of these. Losses are read two updates
    late, ten with several workers, so that MXNet need not wait: that is when it is noticed.

    Parameters
    ----------
    nan : {'raise', 'warn', 'ignore'}
        Whether to raise a FloatingPointError, which breaks the fit off, so that its ``after_fit``
        does not come; to warn once a fit; or neither.

    Raises
    ------
    ValueError
        When it is none of the three.
    """

    order = -40

    def __init__(self, nan: str = "raise") -> None:
        self.nan = _check.one_of(type(self).__name__, "nan", nan, ["raise", "warn", "ignore"])
        self._seen = 0  # the losses that were looked at
        self._has_told = False

    def before_fit(self, learner: Any) -> None:
        """Look at the losses from here on."""
        self._seen = len(learner.recorder)
        self._has_told = False

    def after_batch(self, learner: Any) -> None:
        """Look at the losses that are known by now."""
        if self.nan == "ignore" or self._has_told or learner.in_trial:
            return
        for loss in learner.recorder.known_losses(self._seen):
            self._seen += 1
            if not math.isfinite(loss):
                self._tell(loss)
                return

    def after_epoch(self, learner: Any) -> None:
        """Look at the last losses of the epoch too."""
        self.after_batch(learner)

    def _tell(self, loss: float) -> None:
        self._has_told = True
        text = (
            f"{type(self).__name__}: the loss of update {self._seen} is {loss}, and the weights "
            "may be no numbers either. Try a lower rate, GradientClip(1.0), or look for what is "
            "not finite in the data."
        )
        if self.nan == "raise":
            raise FloatingPointError(text)
        _check.warn_caller(text)
