"""Callbacks for gradients: clipping and accumulation."""

from typing import Any, Optional

from ... import _check
from ...events import Callback, CancelBatchException

_TINY = 1e-8  # as in gluon.utils.clip_global_norm


class GradientClip(Callback):
    """Scale the gradient of each update down to the norm `max_norm`, if its norm is larger.

        gradient <- gradient * min(1, max_norm / norm(gradient))

    It is the gradient of the mean loss. The norm is the Euclidean norm over all parameters,
    contexts and workers together.

    Pascanu et al., "On the difficulty of training recurrent neural networks", 2013,
    https://arxiv.org/abs/1211.5063.

    Parameters
    ----------
    max_norm : float
        The highest norm, above 0.

    Raises
    ------
    TypeError, ValueError
        If it is not a finite number above 0.
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = _check.real(type(self).__name__, "max_norm", max_norm, above=0)

    def before_step(self, learner: Any) -> None:
        """Increase the divisor of the gradients, if their norm is too large."""
        norm = learner.gradient_norm()
        if norm > self.max_norm:
            learner.divisor *= (norm + _TINY) / self.max_norm

    def __repr__(self) -> str:
        return f"GradientClip({self.max_norm!r})"


class GradientAccumulation(Callback):
    """Make one update from several batches, as from one large batch.

    Schedules, curves and the recorder count updates. The batches left at the end of an epoch make
    an update too. It runs before :class:`GradientClip`, which so reads one norm per update.

    Parameters
    ----------
    batches : int, optional
        Batches per update, at least 1.
    n_acc : int, optional
        Samples per update, as in fastai: the update comes when its batches have so many samples.

    Raises
    ------
    TypeError, ValueError
        If not exactly one of the two is given, an integer of at least 1.
    """

    order = -10

    def __init__(self, batches: Optional[int] = None, n_acc: Optional[int] = None) -> None:
        owner = type(self).__name__
        if (batches is None) == (n_acc is None):
            raise ValueError(
                f"{owner}: exactly one of `batches` and `n_acc` must be given, got "
                f"batches={batches!r} and n_acc={n_acc!r}. Write {owner}(batches=4), or "
                f"{owner}(n_acc=64) for samples."
            )
        self.batches = None if batches is None else _check.integer(owner, "batches", batches, 1)
        self.n_acc = None if n_acc is None else _check.integer(owner, "n_acc", n_acc, 1)
        self._is_last = False

    def before_loss(self, learner: Any) -> None:
        """Make backward passes add up the gradients."""
        learner.add_up_gradients()

    def before_step(self, learner: Any) -> None:
        """Cancel the update until there are enough batches or samples."""
        if not self._is_last and not self._are_enough(learner):
            raise CancelBatchException

    def after_train(self, learner: Any) -> None:
        """Make an update from the batches left at the end of an epoch."""
        self._is_last = True
        try:
            learner.make_update()
        finally:
            self._is_last = False

    def _are_enough(self, learner: Any) -> bool:
        if self.n_acc is None:
            return bool(learner.batches_in_update >= self.batches)
        return bool(learner.samples_in_update >= self.n_acc)

    def __repr__(self) -> str:
        name, value = ("batches", self.batches) if self.n_acc is None else ("n_acc", self.n_acc)
        return f"GradientAccumulation({name}={value})"
