"""The events of a fit, a step and a validation, and the exceptions that cancel them."""

import contextlib
import inspect
import math
from typing import Any, Callable, ContextManager, Iterable, List, Sequence

from ._memo import remembered

# events of fastai that our fit does not have
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
    """Raised in an event of a batch, it cancels the rest of the batch."""


class CancelValidateException(Exception):  # noqa: N818 - fastai's name
    """Raised in an event of a validation, it ends the validation; its batches so far count."""


class CancelEpochException(Exception):  # noqa: N818 - fastai's name
    """Raised by a callback, it ends the epoch without a validation."""


class CancelFitException(Exception):  # noqa: N818 - fastai's name
    """Raised by a callback, it ends the fit, which then counts as complete."""


_CALLED_OFF = (
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    CancelValidateException,
)


def event(method: Callable[[Any, Any], None]) -> Callable[..., None]:
    """Let type checkers accept an event in a subclass with or without the learner argument."""
    return method


class Callback:
    """Methods that a fit calls, each with the learner. Override those you need.

    As in fastai, you can also write them without an argument and use ``self.learn``.

    The order is::

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

    The learner's `recorder` has the losses and, from ``after_epoch`` on, the validation of the
    epoch. At ``after_validate`` it is in ``learner.validation``. A resumed fit begins with
    ``before_fit`` again. A search, ``learner.iteration`` and ``validate`` also call
    ``after_loss``, ``before_step``, ``after_step`` and the events of a validation, but only of
    the Learner's own callbacks.

    A fit at 'tune' tries several trainings. All have these events, with ``learner.in_trial``
    true. For the training that it keeps, the fit then calls ``after_tune``.

    An event can cancel the rest of a batch, an epoch, a validation or a fit: it raises
    :class:`CancelBatchException`, :class:`CancelEpochException`,
    :class:`CancelValidateException` or :class:`CancelFitException`. The event at the end, for
    example ``after_batch``, is still called.

    Callbacks with a lower `order` are called first. With the same `order`, the Learner's own
    callbacks come before those of the fit, each in the order you passed them. An ``after_...``
    event is called for all callbacks, even if one of them raises.

    Attributes
    ----------
    learn : Learner or None
        The learner during an event, else None.
    order : int
        Its place among the callbacks; 0 by default.
    scales : sequence of str
        The hyper-parameters that it changes at ``before_step``. So a fit sets them again before
        each update, to the trainer's own value if they have no curve.

    >>> class StopWhenGood(Callback):
    ...     def after_epoch(self, learner):
    ...         if learner.recorder.epochs[-1]["valid_loss"] < 0.1:
    ...             raise CancelFitException
    """

    learn: Any = None
    order: int = 0
    scales: Sequence[str] = ()

    def during_fit(self, learner: Any) -> ContextManager[Any]:
        """Return a context manager, open from before ``before_fit`` until the fit ends or fails."""
        return contextlib.nullcontext()

    def during_validation(self, learner: Any) -> ContextManager[Any]:
        """Return a context manager that is open during a validation and its two events."""
        return contextlib.nullcontext()

    def as_data(self) -> Any:
        """Return the state to save in the learner's files, or None if there is none.

        It consists of numbers, strings, lists, dicts and NumPy arrays.
        """

    def take_data(self, data: Any) -> None:
        """Restore the state that :meth:`as_data` returned, or start fresh if `data` is None.

        A fit calls it before ``before_fit``; a new fit passes None.
        """

    def check_fit(self, learner: Any) -> None:
        """Raise an error if it does not work with a fit of this learner; the fit does not start."""

    @event
    def before_fit(self, learner: Any) -> None:
        """Do something at the start of the fit."""

    @event
    def before_epoch(self, learner: Any) -> None:
        """Do something before the first batch of an epoch."""

    @event
    def before_batch(self, learner: Any) -> None:
        """Do something before a batch is read."""

    @event
    def before_loss(self, learner: Any) -> None:
        """Do something after a batch is read: ``learner.batch``."""

    @event
    def after_loss(self, learner: Any) -> None:
        """Do something after the loss is computed: ``learner.iteration_loss`` reads it."""

    @event
    def before_step(self, learner: Any) -> None:
        """Do something after the gradients are computed, before the update."""

    @event
    def after_step(self, learner: Any) -> None:
        """Do something after the update."""

    @event
    def after_batch(self, learner: Any) -> None:
        """Do something after a batch, with or without an update."""

    @event
    def after_train(self, learner: Any) -> None:
        """Do something after an epoch's batches."""

    @event
    def before_validate(self, learner: Any) -> None:
        """Do something before a validation."""

    @event
    def after_validate(self, learner: Any) -> None:
        """Do something after a validation."""

    @event
    def after_epoch(self, learner: Any) -> None:
        """Do something after an epoch and its validation."""

    @event
    def after_fit(self, learner: Any) -> None:
        """Do something at the end of the fit, cancelled or not."""

    @event
    def after_tune(self, learner: Any) -> None:
        """Do something with the training that a fit at 'tune' keeps."""


def tell_all(callbacks: Iterable[Callback], event: str, learner: Any) -> None:
    """Call an event of several callbacks.

    If a callback raises in a ``before_...`` event, the callbacks after it are not called. In other
    events all are called. Then the first error is raised, or a Cancel exception if no error came.
    """
    if event.startswith("before_"):
        for callback in callbacks:
            tell(callback, event, learner)
    else:
        _tell_of_what_is_over(callbacks, event, learner)


def _tell_of_what_is_over(callbacks: Iterable[Callback], event: str, learner: Any) -> None:
    raised: List[BaseException] = []
    for callback in callbacks:
        try:
            tell(callback, event, learner)
        except BaseException as error:  # noqa: BLE001 - it is raised after all are called
            raised.append(error)
    try:
        if raised:
            raise min(raised, key=lambda error: isinstance(error, _CALLED_OFF))
    finally:
        raised.clear()  # avoids a reference cycle


def tell(callback: Callback, event: str, learner: Any) -> None:
    """Call an event of a callback, with the learner or, as in fastai, without an argument."""
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
    """Return how many positional arguments a function takes."""
    kinds = [one.kind for one in inspect.signature(function).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return math.inf
    named = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return named + kinds.count(inspect.Parameter.POSITIONAL_ONLY)


def overrides(callback: Callback, event: str) -> bool:
    """Return whether a callback overrides an event."""
    method = getattr(callback, event)
    return getattr(method, "__func__", method) is not getattr(Callback, event)
