"""The losses that a step returned, and their mean."""

import math
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .. import _check
from .._mxnet import as_mx_nd, is_recorded, mx
from ..distributed.workers import Workers
from ..state import schema

LATE = 2  # updates after which a loss is read, so that MXNet need not wait
_AT_ONCE = 8  # losses that workers tell each other together
_FEW = 10**5  # numbers that are kept until they are told

_UPDATE = schema.Record(
    losses=schema.ARRAY, divisors=schema.ARRAY, samples=schema.Several(schema.COUNT)
)


class PendingLoss:
    """The mean of losses that may still be computed; `float()` waits for it.

    Parameters
    ----------
    losses : list of mx.nd.NDArray
        Of any shape, on each context.
    weights : list of mx.nd.NDArray, optional
        Their weights in the mean; all the same by default.
    read : callable
        From an array to its values.

    Attributes
    ----------
    late : int
        Updates after which it can be read while MXNet, and other workers, go on.
    """

    late = LATE

    def __init__(
        self,
        losses: Sequence[Any],
        weights: Optional[Sequence[Any]] = None,
        read: Callable[[Any], np.ndarray] = lambda array: array.asnumpy(),
    ) -> None:
        self._losses = losses
        self._weights = weights
        self._read = read
        self._value: Optional[float] = None

    def __float__(self) -> float:
        if self._value is None:
            self._value = self._mean()
            self._losses, self._weights = [], None
        return self._value

    def _mean(self) -> float:
        arrays = [self._read(loss) for loss in self._losses]
        if self._weights is None:
            total = sum(float(array.sum(dtype=np.float64)) for array in arrays)
            count = sum(array.size for array in arrays)
            return total / count if count else math.nan
        weights = [self._read(one).astype(np.float64) for one in self._weights]
        total = sum(float((array * weight).sum()) for array, weight in zip(arrays, weights))
        return total / sum(float(weight.sum()) for weight in weights)

    def __repr__(self) -> str:
        return f"PendingLoss({'computing' if self._value is None else self._value})"


class MeanOfBatches(PendingLoss):
    """The mean of all losses of several batches.

    Parameters
    ----------
    losses : list of PendingLoss
        The mean of each batch.
    counts : list of float
        The losses in each.
    """

    def __init__(self, losses: Sequence[PendingLoss], counts: Sequence[float]) -> None:
        super().__init__(losses)
        self._counts = counts
        self.late = max((loss.late for loss in losses), default=LATE)

    def _mean(self) -> float:
        return float(np.average([float(loss) for loss in self._losses], weights=self._counts))


class Losses(NamedTuple):
    """The losses on one context.

    Attributes
    ----------
    arrays : list of arrays
        Of any shapes.
    weights : list of arrays, optional
        The weight of each loss in the mean; all the same where there are none.
    """

    arrays: List[Any]
    weights: Optional[List[Any]]

    @property
    def number(self) -> float:
        """The number of losses, or the sum of their weights, which is waited for."""
        if self.weights is None:
            return sum(array.size for array in self.arrays)
        return sum(float(weight.asnumpy().sum(dtype=np.float64)) for weight in self.weights)

    @property
    def weighted(self) -> List[Any]:
        """The losses, each multiplied with its weight."""
        if self.weights is None:
            return self.arrays
        return [array * weight for array, weight in zip(self.arrays, self.weights)]

    def heads(self, is_own: bool) -> List[Any]:
        """Return what the gradient of each is multiplied with; 0 for another's samples."""
        if not is_own:
            return [mx.nd.zeros_like(as_mx_nd(array)) for array in self.arrays]
        return [None] * len(self.arrays) if self.weights is None else list(self.weights)


class SharedLoss(PendingLoss):
    """The mean of the losses of all workers, who tell each other theirs some updates later.

    Parameters
    ----------
    own : list of Losses
        This worker's, on each context.
    number : float
        The number of losses on all workers, or the sum of their weights.
    losses : SharedLosses
        What it is one of.

    Attributes
    ----------
    own : list of arrays
        Whose sum is that of this worker's losses, each times its weight.
    """

    late = LATE + _AT_ONCE

    def __init__(self, own: Sequence[Losses], number: float, losses: "SharedLosses") -> None:
        arrays = [as_mx_nd(array) for one in own for array in one.weighted]
        self.own = [one if one.size <= _FEW else one.astype("float32").sum() for one in arrays]
        super().__init__([])
        self._number = number
        self._all = losses

    def take(self, total: float) -> None:
        """Take the sum over all workers."""
        self._value, self.own = total / self._number, []

    def _mean(self) -> float:
        self._all.tell(self)
        assert self._value is not None
        return self._value


class SharedLosses:
    """The losses of all workers of one training.

    Each tells its own in the same message as the number of losses of a batch, several together
    and not before MXNet has them. Where one is asked for before that, all have to ask for it.

    How many losses a batch has on all of them needs no message once each worker has seen that it
    has one for each of its samples, and where it knows the samples of all. Messages to come show
    whether that was so.

    Parameters
    ----------
    workers : Workers
        They.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._untold: List[SharedLoss] = []
        self._have_one_each = False  # whether all workers have seen a loss for each sample
        self._taken_for = 0  # the losses of all workers that no message has told
        self._own_untold = 0.0  # this worker's part of them

    def of_batch(
        self, own: Sequence[Losses], divisor: float, samples: Optional[Tuple[int, int]] = None
    ) -> Tuple[PendingLoss, float]:
        """Return the mean loss of a batch on all workers, and the sum of their divisors.

        Parameters
        ----------
        own : list of Losses
            This worker's, on each context.
        divisor : float
            This worker's.
        samples : (int, int), optional
            This worker's and those of all, where a sample may have one loss on each of them.

        Raises
        ------
        ValueError
            Where the samples of all were not as many as this worker took them for.
        WorkersLostError
            Where another worker has not come to this batch.
        """
        late = len(self._untold) - LATE
        told = self._untold[:late] if late >= _AT_ONCE else []
        number = sum(one.number for one in own)
        has_one_each = samples is not None and number == divisor == samples[0]
        if samples is not None and has_one_each and self._have_one_each and not told:
            self._own_untold += number
            self._taken_for += samples[1]
            total = total_divisor = float(samples[1])
        else:
            is_sure = has_one_each and (number > 1 or self._have_one_each)
            numbers = [number, divisor, float(not is_sure)]
            total, total_divisor, unsure = self._tell(told, numbers, "losses of a batch")
            self._have_one_each = not unsure
        if not total:  # which has no mean
            return PendingLoss([]), total_divisor
        loss = SharedLoss(own, total, self)
        self._untold.append(loss)
        return loss, total_divisor

    def tell(self, last: Optional[SharedLoss] = None, what: str = "losses") -> None:
        """Tell each other the losses up to one, or all; all workers do so, by the same name."""
        count = len(self._untold) if last is None else self._untold.index(last) + 1
        if count:
            self._tell(self._untold[:count], [], what)

    def _tell(self, losses: List[SharedLoss], numbers: List[float], what: str) -> List[float]:
        """Return the sums over all workers of some numbers, and tell losses besides."""
        numbers = [self._own_untold, *numbers]
        values = self._workers.read_all([array for one in losses for array in one.own])
        each = iter(float(value.sum(dtype=np.float64)) for value in values)
        sums = [sum(next(each) for _ in one.own) for one in losses]
        totals = self._workers.sum(np.array([*numbers, *sums], dtype=np.float64), what).tolist()
        del self._untold[: len(losses)]
        for loss, total in zip(losses, totals[len(numbers) :]):
            loss.take(total)
        self._check_untold(totals[0])
        return totals[1 : len(numbers)]

    def _check_untold(self, total: float) -> None:
        """Check the losses of the batches whose numbers no message has told, now that one has."""
        taken_for, self._taken_for, self._own_untold = self._taken_for, 0, 0.0
        if total != taken_for:
            constraint = "one of the same batches on all workers, which split each of them"
            value = f"batches of {taken_for} samples here, where all have {total:g} together"
            remedy = "Or make the Learner with split_batches=False, for batches of one's own."
            raise ValueError(_check.message("Learner", "data_loader", constraint, value, remedy))


def losses_of(returned: Any, with_weights: bool) -> Losses:
    """Read what `compute_loss` has returned.

    Parameters
    ----------
    returned : array, list or tuple
        Losses, several arrays of losses, or ``(losses, weights)``.
    with_weights : bool
        Whether it is the last of these.

    Raises
    ------
    TypeError, ValueError
        Where it is something else.
    """
    several = returned if isinstance(returned, (tuple, list)) else [returned]
    arrays = _checked(several)
    if not with_weights:
        return Losses(arrays, None)
    loss, weight = arrays
    if loss.shape != weight.shape:
        constraint = f"of the losses' shape, {loss.shape}"
        raise ValueError(_check.message("compute_loss", "weights", constraint, weight.shape))
    return Losses([loss], [weight.astype(loss.dtype, copy=False)])


def are_weights(returned: Any) -> bool:
    """Say whether `compute_loss` has returned ``(losses, weights)``, under ``record()``.

    Two losses are both recorded, for their gradients; weights are not.
    """
    return _are_two_arrays(returned) and [*map(is_recorded, returned)] == [True, False]


def may_be_weights(returned: Any) -> bool:
    """Say whether a user may have meant ``(losses, weights)``, but both are recorded."""
    return (
        _are_two_arrays(returned)
        and all(map(is_recorded, returned))
        and returned[0].shape == returned[1].shape
    )


def _are_two_arrays(returned: Any) -> bool:
    return (
        isinstance(returned, tuple)
        and len(returned) == 2
        and all(isinstance(one, mx.nd.NDArray) for one in returned)
    )


def as_loss(returned: Any) -> Any:
    """Return what an iteration has returned as what `float()` makes a loss of.

    Raises
    ------
    TypeError
        Where it is neither a number nor an array.
    """
    if isinstance(returned, mx.nd.NDArray):
        returned = returned.asnumpy()
    if isinstance(returned, np.ndarray):
        return float(returned.mean(dtype=np.float64))
    if not hasattr(returned, "__float__"):
        constraint = "a function that returns its loss, a number or an array"
        raise TypeError(_check.message("LRFinder", "iteration", constraint, returned))
    return returned


def mean_of(losses: Sequence[Losses]) -> PendingLoss:
    """Return the mean of the losses of all contexts."""
    arrays = [array for one in losses for array in one.arrays]
    if not any(one.weights for one in losses):
        return PendingLoss(arrays)
    return PendingLoss(arrays, [weight for one in losses for weight in one.weights or ()])


def _checked(several: Sequence[Any]) -> List[Any]:
    arrays = [one for one in several if isinstance(one, mx.nd.NDArray)]
    if not arrays or len(arrays) < len(several):
        constraint = "losses as arrays, a list of such, or (losses, weights)"
        kinds: Tuple[str, ...] = tuple(type(one).__name__ for one in several)
        remedy = "Compute them of what the net returns, and do not read them."
        raise TypeError(_check.message("compute_loss", "return", constraint, kinds, remedy))
    return arrays


class PendingUpdate(NamedTuple):
    """What the next update is for: batches whose gradients have come, and no update yet.

    Attributes
    ----------
    losses : tuple of PendingLoss
        The mean loss of each batch.
    divisors : tuple of float
        What the gradient of each is to be divided by: how many losses it has.
    samples : tuple of int
        How many samples each has, where they were counted.
    """

    losses: Tuple[PendingLoss, ...] = ()
    divisors: Tuple[float, ...] = ()
    samples: Tuple[int, ...] = ()

    @property
    def divisor(self) -> float:
        """What the sum of all gradients is to be divided by."""
        return sum(self.divisors)

    @property
    def loss(self) -> PendingLoss:
        """The mean of all their losses."""
        if len(self.losses) == 1:
            return self.losses[0]
        return MeanOfBatches(self.losses, self.divisors)

    def with_batch(self, loss: PendingLoss, divisor: float) -> "PendingUpdate":
        """Return it with another batch."""
        return self._replace(losses=(*self.losses, loss), divisors=(*self.divisors, divisor))

    def with_samples(self, samples: int) -> "PendingUpdate":
        """Return it with the samples of its last batch."""
        return self._replace(samples=(*self.samples[: len(self.losses) - 1], samples))

    def as_data(self) -> Dict[str, Any]:
        """Return it as what `json` can write, and arrays."""
        losses = np.array([float(loss) for loss in self.losses], dtype=np.float64)
        divisors = np.array(self.divisors, dtype=np.float64)
        return {"losses": losses, "divisors": divisors, "samples": list(self.samples)}

    @classmethod
    def from_data(cls, data: Any, place: str) -> "PendingUpdate":
        """Return what :meth:`as_data` wrote, or raise a ValueError that names the place."""
        _UPDATE.check(data, place)
        losses, divisors = data["losses"].ravel(), data["divisors"].ravel()
        if losses.shape != divisors.shape:
            raise schema.astray(place, "as many losses as divisors", losses.shape)
        if len(data["samples"]) > len(losses):
            raise schema.astray(f"{place}.samples", f"at most {len(losses)}", data["samples"])
        if not (np.isfinite(divisors) & (divisors > 0)).all():
            raise schema.astray(f"{place}.divisors", "numbers above 0", divisors)
        known = (PendingLoss([loss], read=np.asarray) for loss in losses)
        return cls(tuple(known), tuple(divisors.tolist()), tuple(data["samples"]))
