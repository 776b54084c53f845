"""A held-out share of the training data: single samples, or whole batches."""

import hashlib
import itertools
from typing import AbstractSet, Any, Iterable, Iterator, List, NamedTuple, Union

from .. import _check
from .._mxnet import mx
from ..state.transaction import Together, Transaction
from .sampler import ContinuousBatchSampler
from .structure import Batch

Indices = List[Any]

_OF_ONE_SIZE = (mx.gluon.data.BatchSampler, ContinuousBatchSampler)


class HeldOut(Together):
    """A context manager within which a share of the training data is held out.

    Parameters
    ----------
    batches : list
        The batches that are held out.
    *parts : Transaction
        The context managers that it consists of.
    """

    def __init__(self, batches: List[Batch], *parts: Transaction) -> None:
        super().__init__(*parts)
        self.batches = batches


class HeldBatches(NamedTuple):
    """Whole batches that are held out, by their places in the pass: 2, 2 + every, ...

    Attributes
    ----------
    every : int
        At least 2. So neither the first batch of a pass nor two consecutive ones are held out.
    """

    every: int

    def holds(self, place: int) -> bool:
        """Return whether the batch at a place in the pass, from 1, is held out."""
        return (place - 2) % self.every == 0

    def remaining(self, length: int) -> int:
        """Return how many batches of a pass of `length` remain for training."""
        return length - (length + self.every - 2) // self.every


class HeldSamples:
    """Samples of a DataLoader that are held out, by their indices.

    A hash of each index decides which ones, so that they are the same in all passes and on all
    workers.

    Parameters
    ----------
    loader : mx.gluon.data.DataLoader
        One pass of its sampler is read. If that has no length, as many items are read as the
        dataset has samples.
    share : float
        The fraction of the samples to hold out.
    most : int
        The largest number of samples to hold out.

    Attributes
    ----------
    batches : list of lists
        The indices that are held out, in batches.

    Raises
    ------
    ValueError
        If there are fewer than two samples.
    """

    def __init__(self, loader: Any, share: float, most: int) -> None:
        batch_sampler = loader._batch_sampler
        self._are_of_one_size = type(batch_sampler) in _OF_ONE_SIZE
        if self._are_of_one_size:
            batches = [_pass_of(batch_sampler._sampler, loader)]
            self._size = int(batch_sampler._batch_size)
        else:
            batches = [list(batch) for batch in _pass_of(batch_sampler, loader)]
            self._size = max(map(len, batches), default=0)
        indices = dict.fromkeys(index for batch in batches for index in batch)
        if len(indices) < 2:
            raise nothing_to_hold_out("sample")
        count = min(max(round(share * len(indices)), 1), most)
        held = sorted(indices, key=_place_in_order)[:count]
        self._held = frozenset(held)
        self.batches = [held[n : n + self._size] for n in range(0, count, self._size)]

        left = [sum(one not in self._held for one in batch) for batch in batches]
        whole, rest = divmod(sum(left), self._size)
        self._keeps_rest = not whole or getattr(batch_sampler, "_last_batch", None) == "keep"
        of_one_size = whole + (rest > 0 and self._keeps_rest)
        self._length = of_one_size if self._are_of_one_size else sum(n > 0 for n in left)

    def without(self, batch_sampler: Any) -> Iterable[Indices]:
        """Return an iterable over the batches of a batch sampler, without held-out samples.

        Batches have a constant size if they had one before. A last, smaller batch is kept if the
        batch sampler keeps it, or if it is the only batch.
        """
        if not self._are_of_one_size:
            left = ([one for one in batch if one not in self._held] for batch in batch_sampler)
            return filter(None, left)
        sampler = _Without(batch_sampler._sampler, self._held)
        if isinstance(batch_sampler, ContinuousBatchSampler):
            return ContinuousBatchSampler(sampler, self._size)
        last_batch = "keep" if self._keeps_rest else "discard"
        return mx.gluon.data.BatchSampler(sampler, self._size, last_batch)

    def remaining(self, length: int) -> int:
        """Return how many batches of a pass remain for training."""
        return self._length


Held = Union[HeldBatches, HeldSamples]


def nothing_to_hold_out(kind: str) -> ValueError:
    """Return the error for a loader with a single batch or sample."""
    constraint = f"given if a pass of `data_loader` has only one {kind}"
    remedy = f"Pass other data: a {kind} that is held out cannot also be used for training."
    return ValueError(_check.message("Learner", "validation", constraint, None, remedy))


def _place_in_order(index: Any) -> bytes:
    return hashlib.blake2b(repr(index).encode(), digest_size=8).digest()


class _Without:
    """A sampler without the held-out indices."""

    def __init__(self, sampler: Iterable[Any], held: AbstractSet[Any]) -> None:
        self._sampler = sampler
        self._held = held

    def __iter__(self) -> Iterator[Any]:
        return (index for index in self._sampler if index not in self._held)


def _pass_of(sampler: Any, loader: Any) -> List[Any]:
    try:
        length = len(sampler)
    except (TypeError, NotImplementedError):  # perhaps without end
        length = len(loader._dataset)
    return list(itertools.islice(sampler, length))
