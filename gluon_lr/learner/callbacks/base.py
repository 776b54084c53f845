"""What can be done during a fit, at its events."""

import math
from typing import TYPE_CHECKING, Any, Dict, Optional

from ... import _check

if TYPE_CHECKING:
    from ..learner import Learner


class CancelFitException(Exception):  # noqa: N818 - fastai's name
    """Raised by a callback, it ends the fit, which then counts as done."""


class Callback:
    """Methods that a fit calls, each with the learner. Override those you need.

    ``before_fit``, then for each epoch ``before_epoch``, for each batch ``before_batch`` and
    ``after_batch``, then ``after_epoch``, and at last ``after_fit``. The learner's `recorder`
    knows the losses and, from ``after_epoch`` on, the epoch's validation. A fit that is resumed
    begins with ``before_fit`` again.

    >>> class StopWhenGood(Callback):
    ...     def after_epoch(self, learner):
    ...         if learner.recorder.epochs[-1]["valid_loss"] < 0.1:
    ...             raise CancelFitException
    """

    def before_fit(self, learner: "Learner") -> None:
        """Do something at the start of the fit."""

    def before_epoch(self, learner: "Learner") -> None:
        """Do something before the first batch of an epoch."""

    def before_batch(self, learner: "Learner") -> None:
        """Do something before a batch is read."""

    def after_batch(self, learner: "Learner") -> None:
        """Do something after the update."""

    def after_epoch(self, learner: "Learner") -> None:
        """Do something after an epoch and its validation."""

    def after_fit(self, learner: "Learner") -> None:
        """Do something at the end of the fit, cancelled or not."""


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

    def before_fit(self, learner: "Learner") -> None:
        """End a fit at once that was interrupted between its last epoch and its end."""
        self.after_epoch(learner)

    def after_epoch(self, learner: "Learner") -> None:
        """End the fit where the last `patience` epochs brought no improvement."""
        best, waited = math.inf, 0
        for epoch in learner.recorder.epochs:
            value = self._value(epoch)
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


class CheckpointCallback(Callback):
    """Save the learner to a file during a fit, each time in place of the last.

    After a crash ``learner.load(path)`` and ``learner.resume()`` go on from there.

    Parameters
    ----------
    path : str or path
        The file.
    iterations : int, optional
        Save after so many updates, at least 1. By default after each epoch.

    Raises
    ------
    TypeError, ValueError
        When `iterations` is not an integer of at least 1.
    """

    def __init__(self, path: Any, iterations: Optional[int] = None) -> None:
        self.path = path
        self.iterations = iterations
        if iterations is not None:
            _check.integer(type(self).__name__, "iterations", iterations, 1)

    def after_batch(self, learner: "Learner") -> None:
        """Save after each `iterations` updates."""
        if self.iterations is not None and len(learner.recorder) % self.iterations == 0:
            learner.save(self.path)

    def after_epoch(self, learner: "Learner") -> None:
        """Save after each epoch, where `iterations` was not given."""
        if self.iterations is None:
            learner.save(self.path)
