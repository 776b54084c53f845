"""The events of a fit, of a step and of a validation, and how each is called off."""

import inspect
import math
from typing import Any, Callable

from ._memo import remembered

# events that fastai has and a fit of ours has not
FASTAIS_OWN_EVENTS = (
    "after_create",
    "before_train",
    "after_pred",
    "before_backward",
    "after_backward",
    "after_cancel_batch",
    "after_cancel_train",
    "after_cancel_validate",
    "after_cancel_epoch",
    "after_cancel_step",
    "after_cancel_fit",
)


class CancelBatchException(Exception):  # noqa: N818 - fastai's name
    """Raised at an event of a batch, it ends the batch: what was left of it is not done."""


class CancelValidateException(Exception):  # noqa: N818 - fastai's name
    """Raised at an event of a validation, it ends that; what was seen until then counts."""


class CancelEpochException(Exception):  # noqa: N818 - fastai's name
    """Raised by a callback, it ends the epoch, without its validation."""


class CancelFitException(Exception):  # noqa: N818 - fastai's name
    """Raised by a callback, it ends the fit, which then counts as done."""


class Callback:
    """Methods that a fit calls, each with the learner. Override those you need.

    They may be written as fastai has them, without an argument, and use ``self.learn``.

    In this order::

        before_fit
            before_epoch
                before_batch
                    before_loss                 the batch is there, its loss is not
                    after_loss                  the loss is there, the gradients are not
                    before_step, after_step     around the update, where there is one
                after_batch
                after_train                     the epoch's batches are done
                before_validate, after_validate
            after_epoch
        after_fit

    The learner's `recorder` knows the losses and, from ``after_epoch`` on, the epoch's
    validation; ``learner.validation`` has it at ``after_validate``. A fit that is resumed begins
    with ``before_fit`` again. ``after_loss``, ``before_step`` and ``after_step``, and those of a
    validation, are called in a search too, and by ``learner.iteration`` and ``validate``, for
    the callbacks of the Learner itself.

    What is left of a batch, an epoch, a validation or a fit is not done where an event in it
    raises :class:`CancelBatchException`, :class:`CancelEpochException`,
    :class:`CancelValidateException` or :class:`CancelFitException`. The event that ends it,
    ``after_batch`` for instance, comes all the same.

    Attributes
    ----------
    learn : Learner or None
        During an event, the learner.

    >>> class StopWhenGood(Callback):
    ...     def after_epoch(self, learner):
    ...         if learner.recorder.epochs[-1]["valid_loss"] < 0.1:
    ...             raise CancelFitException
    """

    learn: Any = None

    def before_fit(self, learner: Any) -> None:
        """Do something at the start of the fit."""

    def before_epoch(self, learner: Any) -> None:
        """Do something before the first batch of an epoch."""

    def before_batch(self, learner: Any) -> None:
        """Do something before a batch is read."""

    def before_loss(self, learner: Any) -> None:
        """Do something when a batch is read: ``learner.batch``."""

    def after_loss(self, learner: Any) -> None:
        """Do something when a batch's loss is computed: ``learner.iteration_loss`` reads it."""

    def before_step(self, learner: Any) -> None:
        """Do something when the gradients have come, and the update is next."""

    def after_step(self, learner: Any) -> None:
        """Do something after the update."""

    def after_batch(self, learner: Any) -> None:
        """Do something after a batch, whether it made an update or not."""

    def after_train(self, learner: Any) -> None:
        """Do something after an epoch's batches."""

    def before_validate(self, learner: Any) -> None:
        """Do something before a validation."""

    def after_validate(self, learner: Any) -> None:
        """Do something after a validation."""

    def after_epoch(self, learner: Any) -> None:
        """Do something after an epoch and its validation."""

    def after_fit(self, learner: Any) -> None:
        """Do something at the end of the fit, cancelled or not."""


def tell(callback: Callback, event: str, learner: Any) -> None:
    """Call an event of a callback: with the learner, or as fastai does, without an argument."""
    method = getattr(callback, event)
    bound = 1 if inspect.ismethod(method) else 0
    takes_learner = _arguments_of(getattr(method, "__func__", method)) > bound
    before, callback.learn = callback.learn, learner
    try:
        method(*[learner] * takes_learner)
    finally:
        callback.learn = before


@remembered
def _arguments_of(function: Callable[..., Any]) -> float:
    """Return how many arguments a function takes by their places."""
    kinds = [one.kind for one in inspect.signature(function).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return math.inf
    named = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return named + kinds.count(inspect.Parameter.POSITIONAL_ONLY)


def overrides(callback: Callback, event: str) -> bool:
    """Say whether a callback does something at an event."""
    method = getattr(callback, event)
    return getattr(method, "__func__", method) is not getattr(Callback, event)
