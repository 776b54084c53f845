"""The events of a fit."""

from typing import Any


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

    def before_fit(self, learner: Any) -> None:
        """Do something at the start of the fit."""

    def before_epoch(self, learner: Any) -> None:
        """Do something before the first batch of an epoch."""

    def before_batch(self, learner: Any) -> None:
        """Do something before a batch is read."""

    def after_batch(self, learner: Any) -> None:
        """Do something after the update."""

    def after_epoch(self, learner: Any) -> None:
        """Do something after an epoch and its validation."""

    def after_fit(self, learner: Any) -> None:
        """Do something at the end of the fit, cancelled or not."""
