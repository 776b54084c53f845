"""What is made of the gradients before an update."""

from typing import Any, Optional

from ... import _check
from ...events import Callback, CancelBatchException

_TINY = 1e-8  # as in gluon.utils.clip_global_norm


class GradientClip(Callback):
    """Shorten the gradient of each update to a norm of `max_norm`, where it is longer.

        gradient <- gradient * min(1, max_norm / norm(gradient))

    It is the gradient of the mean loss, and its Euclidean norm that over all parameters,
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
        Where it is not a finite number above 0.
    """

    def __init__(self, max_norm: float) -> None:
        self.max_norm = _check.real(type(self).__name__, "max_norm", max_norm, above=0)

    def before_step(self, learner: Any) -> None:
        """Divide the gradients by so much more."""
        norm = learner.gradient_norm()
        if norm > self.max_norm:
            learner.divisor *= (norm + _TINY) / self.max_norm

    def __repr__(self) -> str:
        return f"GradientClip({self.max_norm!r})"


class GradientAccumulation(Callback):
    """Make one update of several batches, as of one large batch.

    Schedules, curves and the recorder count updates. What is left at the end of an epoch makes
    an update too. It comes before :class:`GradientClip`, which so reads one norm an update.

    Parameters
    ----------
    batches : int, optional
        The batches of an update, at least 1.
    n_acc : int, optional
        Its samples, instead, as fastai counts: of as many batches as it takes to have so many.

    Raises
    ------
    TypeError, ValueError
        Where it is not one of the two, an integer of at least 1.
    """

    order = -10

    def __init__(self, batches: Optional[int] = None, n_acc: Optional[int] = None) -> None:
        owner = type(self).__name__
        if (batches is None) == (n_acc is None):
            remedy = f"Write {owner}(batches=4), or {owner}(n_acc=64) for samples."
            constraint = "given where `n_acc` is not, and only there"
            raise ValueError(_check.message(owner, "batches", constraint, batches, remedy))
        self.batches = None if batches is None else _check.integer(owner, "batches", batches, 1)
        self.n_acc = None if n_acc is None else _check.integer(owner, "n_acc", n_acc, 1)
        self._is_last = False

    def before_loss(self, learner: Any) -> None:
        """Have gradients added up."""
        learner.add_up_gradients()

    def before_step(self, learner: Any) -> None:
        """Call the update off until there are enough of them."""
        if not self._is_last and not self._are_enough(learner):
            raise CancelBatchException

    def after_train(self, learner: Any) -> None:
        """Make the update of what is left at the end of an epoch."""
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
