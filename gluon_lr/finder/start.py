"""What searches and trials share: saving and restoring the learner's state, and updates."""

import contextlib
import math
from collections import deque
from typing import Any, Callable, Deque, Iterable, Iterator, List, Optional, TypeVar

import numpy as np

from .. import _check
from ..data.batches import check_loader
from ..data.structure import is_batch
from ..distributed.workers import Workers
from ..hyper.parameters import HyperParameters
from ..state.generators import GlobalState
from ..state.memory import Memory
from ..state.snapshot import preserved
from ..state.transaction import Together, Transaction, afterwards, at_first, backstop
from ..training.hidden_state import HiddenKept
from ..training.iteration import IterationLearner
from ..training.losses import LATE, PendingLoss, as_loss

Result = TypeVar("Result")


def trainers_of(learner: Any) -> List[Any]:
    """Return the list of the trainers of a learner, which has one or several."""
    return _listed(learner.trainer)


def put_back_after(learner: Any, seed: Optional[int]) -> Transaction:
    """Return a context manager that restores nets, trainers and hidden state at its end."""
    also = list(getattr(learner, "also", ()))
    nets = [*_listed(learner.net), *(net for net, _ in also)]
    trainers = [*trainers_of(learner), *(trainer for _, trainer in also)]
    hidden = HiddenKept([nets, getattr(learner, "hidden_root", None)])
    return Together(preserved(nets, trainers, seed), hidden)


def from_its_place(learner: Any, action: Callable[[], Result]) -> Result:
    """Return what `action` returns, and then restore generators and the place in the data."""
    generators = afterwards(GlobalState.get().put_back)
    place = getattr(learner, "place_kept", contextlib.nullcontext)()
    with generators, backstop(generators), place, backstop(place):
        return action()


def trial_of(learner: Any, seed: Optional[int] = None) -> Transaction:
    """Return a context manager at whose end a Learner is as it was before."""
    generators = afterwards(GlobalState.get().put_back)
    return Together(generators, learner.place_kept(), put_back_after(learner, seed))


def in_order(learner: Any, order: int, updates: int) -> Transaction:
    """Return a context manager that skips `order` passes of the data, and goes back at its end.

    If the data have a single pass, it skips `order` trainings of `updates` updates. For a custom
    learner it does nothing.
    """
    if not isinstance(learner, IterationLearner):
        return Together()

    def skip() -> None:
        for _ in range(order):
            learner.skip_pass(updates)

    generators = afterwards(GlobalState.get().put_back)
    return Together(generators, learner.place_kept(), at_first(skip))


def losses_at(
    learner: Any,
    rates: Iterable[float],
    validation: Optional[List[Any]] = None,
    skip: bool = False,
    by_group: Optional[Callable[[float], List[float]]] = None,
) -> Iterator[float]:
    """Make an update at each rate and yield the losses, read late so that MXNet need not wait.

    Call this within :func:`put_back_after`: it removes lr_schedulers and accumulated gradients.

    Parameters
    ----------
    learner : Learner
        A Learner or a custom learner, as for :class:`LRFinder`.
    rates : iterable of float
        The rate of each update.
    validation : list, optional
        Batches whose loss after each update is yielded instead of the training loss.
    by_group : callable, optional
        Takes a rate and returns the rate of each parameter group of a Learner.
    skip : bool
        Whether a Learner makes no update from a loss that is not finite.
    """
    for trainer in trainers_of(learner):
        trainer.optimizer.lr_scheduler = None
    ours = isinstance(learner, IterationLearner)
    if ours:
        learner.forget_gradients()
    workers = Workers.of(trainers_of(learner)[0])  # a PendingLoss is already their mean
    hypers = None if by_group is None else HyperParameters(learner.trainer, learner.groups)
    pending: Deque[Any] = deque()
    for rate in rates:
        if hypers is not None and by_group is not None:
            hypers["lr"] = by_group(rate)
        lr = rate if hypers is None else None
        if skip and ours and not learner.has_own_iteration:
            loss = _update_unless_not_finite(learner, lr)
        else:
            loss = as_loss(learner.update(lr) if ours else learner.iteration(rate))
        if validation is not None:
            loss = learner.validate(validation, ())["valid_loss"]
        if workers.count > 1 and not isinstance(loss, PendingLoss):
            loss = float(workers.mean(np.array(float(loss))))
        pending.append(loss)
        if len(pending) > (getattr(loss, "late", LATE) if ours else 0):
            yield float(pending.popleft())
    while pending:
        yield float(pending.popleft())


def _update_unless_not_finite(learner: IterationLearner, lr: Optional[float]) -> PendingLoss:
    """Make an update from one batch if its loss is finite; otherwise keep the weights."""
    loss = learner.enqueue(lr, take_step=False)
    if math.isfinite(float(loss)):
        learner.make_update(lr)
    else:
        learner.forget_gradients()
    return loss


def check_validation(owner: str, learner: Any, validation: Any) -> None:
    """Raise a TypeError if a learner cannot validate on `validation`."""
    if not hasattr(learner, "validate"):
        constraint = "omitted if the learner has no `validate` method"
        raise TypeError(_check.message(owner, "validation", constraint, validation))
    if not is_batch(validation):
        check_loader(owner, "validation", validation)


def held_out_data(
    owner: str, learner: Any, validation: Optional[Iterable[Any]]
) -> Optional[Iterable[Any]]:
    """Return the held-out batches that judge each trial; None if there are none."""
    if validation is None:
        return getattr(learner, "valid_loader", None) if hasattr(learner, "validate") else None
    check_validation(owner, learner, validation)
    one_pass = is_batch(validation) or hasattr(validation, "__next__")
    return batches_of(validation) if one_pass else validation


def judged_by(
    learner: Any,
    held_out: Optional[Iterable[Any]],
    action: Callable[[Optional[Iterable[Any]]], Result],
) -> Result:
    """Return what `action` returns for the held-out batches, and restore the state of those.

    If there are none, a share of a Learner's training data is held out.
    """
    if held_out is None and isinstance(learner, IterationLearner):
        with learner.hold_out() as held, held:
            return action(held.batches)
    own = getattr(learner, "valid_loader", None)
    given = None if held_out is own else held_out  # the learner restores its own loader
    with afterwards(Memory(given).keep()) as again, again:
        return action(held_out)


def batches_of(validation: Any) -> List[Any]:
    """Return a list of batches from one batch or several."""
    return [validation] if is_batch(validation) else list(validation)


def _listed(one_or_several: Any) -> List[Any]:
    several = isinstance(one_or_several, (list, tuple))
    return list(one_or_several) if several else [one_or_several]
