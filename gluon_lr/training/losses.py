"""The losses that a step returned, and their mean."""

import math
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .. import _check
from .._mxnet import as_mx_nd, is_recorded, mx
from ..distributed.workers import Workers
from ..state import schema

LATE = 2  # read losses so many updates later, so that MXNet need not wait
_AT_ONCE = 8  # losses that workers send in one message
_FEW = 10**5  # larger arrays of losses are summed before they are sent

_UPDATE = schema.Record(
    losses=schema.ARRAY, divisors=schema.ARRAY, samples=schema.Several(schema.COUNT)
)


class PendingLoss:
    """The mean of losses that may still be computed; `float()` waits for it.

    Parameters
    ----------
    losses : list of mx.nd.NDArray
        Losses of any shape, on each context.
    weights : list of mx.nd.NDArray, optional
        Their weights in the mean; equal by default.
    read : callable
        Takes an array and returns its values.

    Attributes
    ----------
    late : int
        After so many updates it can be read without making MXNet or other workers wait.
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
        The number of losses of each batch.
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
        Losses of any shapes.
    weights : list of arrays, optional
        The weight of each loss in the mean; equal if None.
    """

    arrays: List[Any]
    weights: Optional[List[Any]]

    @property
    def number(self) -> float:
        """The number of losses, or the sum of their weights, which waits for MXNet."""
        if self.weights is None:
            return sum(array.size for array in self.arrays)
        return sum(float(weight.asnumpy().sum(dtype=np.float64)) for weight in self.weights)

    @property
    def weighted(self) -> List[Any]:
        """The losses, each multiplied by its weight."""
        if self.weights is None:
            return self.arrays
        return [array * weight for array, weight in zip(self.arrays, self.weights)]

    def heads(self, is_own: bool) -> List[Any]:
        """Return the head gradients: the weights, or 0 for samples of another part."""
        if not is_own:
            return [mx.nd.zeros_like(as_mx_nd(array)) for array in self.arrays]
        return [None] * len(self.arrays) if self.weights is None else list(self.weights)


class SharedLoss(PendingLoss):
    """The mean of the losses of all workers, which they exchange some updates later.

    Parameters
    ----------
    own : list of Losses
        This worker's losses on each context.
    number : float
        The number of losses on all workers, or the sum of their weights.
    losses : SharedLosses
        The collection that it belongs to.

    Attributes
    ----------
    own : list of arrays
        Arrays whose sum is the sum of this worker's losses, each times its weight.
    """

    late = LATE + _AT_ONCE

    def __init__(self, own: Sequence[Losses], number: float, losses: "SharedLosses") -> None:
        arrays = [as_mx_nd(array) for one in own for array in one.weighted]
        self.own = [one if one.size <= _FEW else one.astype("float32").sum() for one in arrays]
        super().__init__([])
        self._number = number
        self._all = losses

    def take(self, total: float) -> None:
        """Set the sum over all workers."""
        self._value, self.own = total / self._number, []

    def _mean(self) -> float:
        self._all.tell(self)
        assert self._value is not None
        return self._value


class SharedLosses:
    """The losses of all workers of one training.

    Each worker sends its losses in the message with the number of losses of a batch: several
    together, once MXNet has computed them. To read a loss earlier, all workers have to read it.

    The number of losses of a batch on all workers needs no message if every worker has seen one
    loss for each of its samples, and if it knows the number of samples of all workers. Later
    messages check that this was right.

    Parameters
    ----------
    workers : Workers
        The workers.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._untold: List[SharedLoss] = []
        self._have_one_each = False  # whether all workers have seen one loss per sample
        self._taken_for = 0  # assumed number of losses of all workers, not yet checked
        self._own_untold = 0.0  # this worker's part of this number

    def of_batch(
        self, own: Sequence[Losses], divisor: float, samples: Optional[Tuple[int, int]] = None
    ) -> Tuple[PendingLoss, float]:
        """Return the mean loss of a batch on all workers, and the sum of their divisors.

        Parameters
        ----------
        own : list of Losses
            This worker's losses on each context.
        divisor : float
            This worker's divisor.
        samples : (int, int), optional
            The number of samples on this worker and on all, if each sample may have one loss.

        Raises
        ------
        ValueError
            If all workers together had another number of samples than this worker assumed.
        WorkersLostError
            If another worker does not come to this batch.
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
        if not total:  # there is no mean
            return PendingLoss([]), total_divisor
        loss = SharedLoss(own, total, self)
        self._untold.append(loss)
        return loss, total_divisor

    def tell(self, last: Optional[SharedLoss] = None, what: str = "losses") -> None:
        """Exchange the losses up to `last`, or all; all workers call it, with the same `what`."""
        count = len(self._untold) if last is None else self._untold.index(last) + 1
        if count:
            self._tell(self._untold[:count], [], what)

    def _tell(self, losses: List[SharedLoss], numbers: List[float], what: str) -> List[float]:
        """Return the sums of some numbers over all workers, and exchange losses with them."""
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
        """Check the numbers of losses that were assumed without a message."""
        taken_for, self._taken_for, self._own_untold = self._taken_for, 0, 0.0
        if total != taken_for:
            constraint = "a loader with the same batches on all workers, which split each batch"
            value = f"batches of {taken_for} samples here, but {total:g} samples on all workers"
            remedy = "If workers have their own batches, make the Learner with split_batches=False."
            raise ValueError(_check.message("Learner", "data_loader", constraint, value, remedy))


def losses_of(returned: Any, with_weights: bool) -> Losses:
    """Return the Losses that `compute_loss` has returned.

    Parameters
    ----------
    returned : array, list or tuple
        Losses, several arrays of losses, or ``(losses, weights)``.
    with_weights : bool
        Whether it is ``(losses, weights)``.

    Raises
    ------
    TypeError, ValueError
        If it is something else.
    """
    several = returned if isinstance(returned, (tuple, list)) else [returned]
    arrays = _checked(several)
    if not with_weights:
        return Losses(arrays, None)
    loss, weight = arrays
    if loss.shape != weight.shape:
        constraint = f"of the same shape as the losses, {loss.shape}"
        raise ValueError(_check.message("compute_loss", "weights", constraint, weight.shape))
    return Losses([loss], [weight.astype(loss.dtype, copy=False)])


def are_weights(returned: Any) -> bool:
    """Return whether `compute_loss` has returned ``(losses, weights)``, under ``record()``.

    Two losses are both recorded by autograd; weights are not.
    """
    return _are_two_arrays(returned) and [*map(is_recorded, returned)] == [True, False]


def may_be_weights(returned: Any) -> bool:
    """Return whether a user may have meant ``(losses, weights)``, although both are recorded."""
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
    """Return the result of an iteration as a loss that `float()` can read.

    Raises
    ------
    TypeError
        If it is neither a number nor an array.
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


def means_by_samples(losses: Sequence[Losses], samples: Sequence[int]) -> List[Losses]:
    """Return losses which are means with their numbers of samples as weights.

    Parameters
    ----------
    losses : list of Losses
        Of each part of each batch. All stay as they are if none is a single number for a part
        with several samples, or if they have weights.
    samples : list of int
        The number of samples in each part.
    """
    are_single = all(one.weights is None and _is_single(one) for one in losses)
    if not are_single or max(samples, default=0) == 1:
        return list(losses)
    return [
        one._replace(weights=[mx.nd.full(array.shape or (1,), number) for array in one.arrays])
        for one, number in zip(losses, samples)
    ]


def _is_single(losses: Losses) -> bool:
    return all(array.size == 1 for array in losses.arrays)


def _checked(several: Sequence[Any]) -> List[Any]:
    arrays = [one for one in several if isinstance(one, mx.nd.NDArray)]
    if not arrays or len(arrays) < len(several):
        constraint = "an array of losses, a list of such arrays, or (losses, weights)"
        kinds: Tuple[str, ...] = tuple(type(one).__name__ for one in several)
        remedy = "Compute them from the output of the net, and do not convert them to numbers."
        raise TypeError(_check.message("compute_loss", "return", constraint, kinds, remedy))
    return arrays


class PendingUpdate(NamedTuple):
    """The batches of the next update, whose gradients have been computed.

    Attributes
    ----------
    losses : tuple of PendingLoss
        The mean loss of each batch.
    divisors : tuple of float
        The divisor for the gradient of each batch: its number of losses.
    samples : tuple of int
        The number of samples of each batch, if they were counted.
    """

    losses: Tuple[PendingLoss, ...] = ()
    divisors: Tuple[float, ...] = ()
    samples: Tuple[int, ...] = ()

    @property
    def divisor(self) -> float:
        """The divisor for the sum of all gradients."""
        return sum(self.divisors)

    @property
    def loss(self) -> PendingLoss:
        """The mean of all losses of the batches."""
        if len(self.losses) == 1:
            return self.losses[0]
        return MeanOfBatches(self.losses, self.divisors)

    def with_batch(self, loss: PendingLoss, divisor: float) -> "PendingUpdate":
        """Return a copy with another batch."""
        return self._replace(losses=(*self.losses, loss), divisors=(*self.divisors, divisor))

    def with_samples(self, samples: int) -> "PendingUpdate":
        """Return a copy with the number of samples of its last batch."""
        return self._replace(samples=(*self.samples[: len(self.losses) - 1], samples))

    def as_data(self) -> Dict[str, Any]:
        """Return it as data for `json`, and arrays."""
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
