"""The end of a fit that has stopped improving."""

import math
from typing import Any, Dict, Optional

from ... import _check
from ...events import Callback, CancelFitException


class EarlyStoppingCallback(Callback):
    """End the fit when a value of the epochs has stopped improving.

    It remembers nothing but what the recorder does, so a fit that was resumed ends where it
    would have ended.

    Parameters
    ----------
    monitor : str
        A key of ``recorder.epochs``: 'valid_loss', 'train_loss' or the name of a metric.
    min_delta : float
        What an improvement has to exceed, at least 0.
    patience : int
        Epochs without one that end the fit, at least 1.
    mode : {'min', 'max'}, optional
        Whether lower is better. By default it is for a name with 'loss' or 'error' in it.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds; during the fit, where an epoch has no such value.
    """

    def __init__(
        self,
        monitor: str = "valid_loss",
        min_delta: float = 0.0,
        patience: int = 1,
        mode: Optional[str] = None,
    ) -> None:
        name = type(self).__name__
        if mode is None:
            mode = "min" if "loss" in monitor or "error" in monitor else "max"
        self.monitor = monitor
        self.min_delta = _check.real(name, "min_delta", min_delta, minimum=0)
        self.patience = _check.integer(name, "patience", patience, 1)
        self.mode = _check.one_of(name, "mode", mode, ["min", "max"])

    def before_fit(self, learner: Any) -> None:
        """End a fit at once that was interrupted between its last epoch and its end."""
        self.after_epoch(learner)

    def after_epoch(self, learner: Any) -> None:
        """End the fit where the last `patience` epochs brought no improvement; no search."""
        if getattr(learner, "is_searching", False):
            return
        best, waited = math.inf, 0
        for epoch in learner.recorder.epochs:
            validates = getattr(learner, "valid_loader", None) is not None
            was_called_off = validates and not {"valid_loss", self.monitor} & epoch.keys()
            value = math.inf if was_called_off else self._value(epoch)
            if value < best - self.min_delta:
                best, waited = value, 0
            else:
                waited += 1
        if waited >= self.patience:
            raise CancelFitException

    def _value(self, epoch: Dict[str, Any]) -> float:
        if self.monitor not in epoch:
            constraint = "one of " + ", ".join(map(repr, epoch))
            remedy = "valid_loss and metrics need a Learner with a `valid_loader`."
            name = type(self).__name__
            raise ValueError(_check.message(name, "monitor", constraint, self.monitor, remedy))
        return float(epoch[self.monitor]) * (1 if self.mode == "min" else -1)
