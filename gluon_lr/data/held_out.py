"""A share of the training data that is held out: single samples, or whole batches."""

import hashlib
from typing import Any, Iterable, Iterator, List, NamedTuple, Union

from .. import _check
from .._mxnet import mx
from ..state.transaction import Together, Transaction
from .sampler import ContinuousBatchSampler
from .structure import Batch

Indices = List[Any]

_OF_ONE_SIZE = (mx.gluon.data.BatchSampler, ContinuousBatchSampler)


class HeldOut(Together):
    """A block in which a share of the training data is held out.

    Parameters
    ----------
    batches : list
        The batches that are held out.
    *parts : Transaction
        What the block is made of.
    """

    def __init__(self, batches: List[Batch], *parts: Transaction) -> None:
        super().__init__(*parts)
        self.batches = batches


class HeldBatches(NamedTuple):
    """Whole batches that are held out, by their places in the pass: 2, 2 + every, ...

    Attributes
    ----------
    every : int
        At least 2, so that the first of a pass is never held out, nor two that follow one another.
    """

    every: int

    def holds(self, place: int) -> bool:
        """Say whether the batch at a place of the pass, from 1, is held out."""
        return (place - 2) % self.every == 0

    def remaining(self, length: int) -> int:
        """Return how many batches of a pass of that length are left for the training."""
        return length - (length + self.every - 2) // self.every


class HeldSamples:
    """Samples that are held out, by their indices.

    An order of the indices that depends on nothing else decides which these are, so that all
    passes and workers have the same.

    Parameters
    ----------
    batch_sampler : iterable
        Yields the indices of each batch.
    drawn : list of lists
        The batches of a pass of it, or the first ones of a long one.
    share : float
        What part of the samples to hold out.
    most : int
        How many at most.

    Attributes
    ----------
    batches : list of lists
        The indices that are held out, batch by batch.

    Raises
    ------
    ValueError
        Where there are fewer than two samples.
    """

    def __init__(self, batch_sampler: Any, drawn: List[Indices], share: float, most: int) -> None:
        indices = dict.fromkeys(index for batch in drawn for index in batch)
        if len(indices) < 2:
            raise nothing_to_hold_out("sample")
        count = min(max(round(share * len(indices)), 1), most)
        held = sorted(indices, key=_place_in_order)[:count]
        self._held = frozenset(held)
        self._are_of_one_size = type(batch_sampler) in _OF_ONE_SIZE
        self._keeps_rest = getattr(batch_sampler, "_last_batch", None) == "keep"
        self._size = max(map(len, drawn))
        self._drawn = len(drawn)
        self._remaining = sum(1 for _ in self.without(drawn))
        self.batches = [held[n : n + self._size] for n in range(0, count, self._size)]

    def without(self, batches: Iterable[Indices]) -> Iterator[Indices]:
        """Yield batches without what is held out; where they are of one size, of that size again.

        As many samples as do not fill a batch come where the batch sampler keeps such a rest, and
        where there are no others.
        """
        remaining = ([one for one in batch if one not in self._held] for batch in batches)
        return self._filled(remaining) if self._are_of_one_size else filter(None, remaining)

    def remaining(self, length: int) -> int:
        """Return how many batches of a pass of that length are left for the training."""
        return max(length * self._remaining // self._drawn, 1)

    def _filled(self, batches: Iterable[Indices]) -> Iterator[Indices]:
        rest: Indices = []
        is_whole = True
        for batch in batches:
            rest += batch
            if len(rest) >= self._size:
                yield rest[: self._size]
                rest, is_whole = rest[self._size :], False
        if rest and (self._keeps_rest or is_whole):
            yield rest


Held = Union[HeldBatches, HeldSamples]


def nothing_to_hold_out(kind: str) -> ValueError:
    """Return the error of a loader that has one batch, or sample, alone."""
    constraint = f"given where a pass of the data_loader has one {kind} alone"
    remedy = f"A {kind} that is held out cannot be trained on."
    return ValueError(_check.message("Learner", "validation", constraint, None, remedy))


def _place_in_order(index: Any) -> bytes:
    return hashlib.blake2b(repr(index).encode(), digest_size=8).digest()
