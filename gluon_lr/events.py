"""The events of a fit, of a step and of a validation, and how each is called off."""

import contextlib
import inspect
import math
from typing import Any, Callable, ContextManager, Iterable, List, Sequence

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


_CALLED_OFF = (
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    CancelValidateException,
)


def event(method: Callable[[Any, Any], None]) -> Callable[..., None]:
    """Have type checkers let a subclass write the event with the learner, or without."""
    return method


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

    A fit at 'tune' tries several trainings, all with these events and ``learner.in_trial`` true,
    and tells of the one that it keeps by ``after_tune``.

    What is left of a batch, an epoch, a validation or a fit is not done where an event in it
    raises :class:`CancelBatchException`, :class:`CancelEpochException`,
    :class:`CancelValidateException` or :class:`CancelFitException`. The event that ends it,
    ``after_batch`` for instance, comes all the same.

    Callbacks are called by their `order`, the lowest first; of one order, the Learner's own come
    before those of the fit, as they were given. All are told of what is over, ``after_epoch``
    say, even where one of them raises there.

    Attributes
    ----------
    learn : Learner or None
        During an event, the learner.
    order : int
        Its place among the callbacks; 0 where a class says nothing else.
    scales : sequence of str
        The hyper-parameters that it changes at ``before_step``, which a fit therefore gives the
        trainer anew for each update, the trainer's own where it has no curve.

    >>> class StopWhenGood(Callback):
    ...     def after_epoch(self, learner):
    ...         if learner.recorder.epochs[-1]["valid_loss"] < 0.1:
    ...             raise CancelFitException
    """

    learn: Any = None
    order: int = 0
    scales: Sequence[str] = ()

    def during_fit(self, learner: Any) -> ContextManager[Any]:
        """Return a block to be in from before ``before_fit`` on, until the fit ends or breaks."""
        return contextlib.nullcontext()

    def during_validation(self, learner: Any) -> ContextManager[Any]:
        """Return a block to be in during a validation, its two events included."""
        return contextlib.nullcontext()

    def as_data(self) -> Any:
        """Return what it has to know to go on, for the learner's files; None where it is nothing.

        Numbers, texts, lists, dicts and NumPy arrays.
        """

    def take_data(self, data: Any) -> None:
        """Go on from what :meth:`as_data` returned; or begin, where that is None, as each fit does.

        A fit calls it before ``before_fit``.
        """

    def check_fit(self, learner: Any) -> None:
        """Raise where it does not go with a fit of this learner, which is then not begun."""

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
        """Do something when a batch is read: ``learner.batch``."""

    @event
    def after_loss(self, learner: Any) -> None:
        """Do something when a batch's loss is computed: ``learner.iteration_loss`` reads it."""

    @event
    def before_step(self, learner: Any) -> None:
        """Do something when the gradients have come, and the update is next."""

    @event
    def after_step(self, learner: Any) -> None:
        """Do something after the update."""

    @event
    def after_batch(self, learner: Any) -> None:
        """Do something after a batch, whether it made an update or not."""

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
        """Do something with the training that a fit at 'tune' has kept."""


def tell_all(callbacks: Iterable[Callback], event: str, learner: Any) -> None:
    """Call an event of several callbacks.

    Where one of them raises before something is done, those after it are not told. What is over
    already all are told of, and then the first error is raised, or what calls it off.
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
        except BaseException as error:  # noqa: BLE001 - which is raised when all are told
            raised.append(error)
    try:
        if raised:
            raise min(raised, key=lambda error: isinstance(error, _CALLED_OFF))
    finally:
        raised.clear()  # so that no error holds itself


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
    """Return whether a callback does something at an event."""
    method = getattr(callback, event)
    return getattr(method, "__func__", method) is not getattr(Callback, event)
