"""The parts of a batch: over the workers, and over the contexts of each."""

from collections import deque
from typing import Any, Deque, Iterator, List, NamedTuple, Tuple

from .._mxnet import mx
from ..distributed.workers import Workers


class Share(NamedTuple):
    """What one worker has of a batch: all of it, where it is alone.

    Where a batch has fewer samples than there are workers, some borrow a sample of another, and
    have 0 `samples` of their own. `total` is those of all workers.
    """

    data: Any
    label: Any
    samples: int
    total: int


class IndexShares:
    """A batch sampler of one worker's part of each batch, and the sizes of what it yielded.

    Parameters
    ----------
    batch_sampler : iterable
        Yields the indices of each batch.
    workers : Workers
        Who share them.

    Attributes
    ----------
    sizes : deque of (int, int)
        Samples of the part and of the whole batch, for each that was not asked for yet.
    """

    def __init__(self, batch_sampler: Any, workers: Workers) -> None:
        self._batch_sampler = batch_sampler
        self._workers = workers
        self.sizes: Deque[Tuple[int, int]] = deque()

    def __iter__(self) -> Iterator[List[Any]]:
        for batch in self._batch_sampler:
            indices = list(batch)
            own, count = own_part(len(indices), self._workers)
            self.sizes.append((count, len(indices)))
            yield indices[own]

    def __len__(self) -> int:
        return len(self._batch_sampler)


def own_part(samples: int, workers: Workers) -> Tuple[slice, int]:
    """Return which of a batch's samples this worker reads, and how many count as its own."""
    low, high = (samples * rank // workers.count for rank in (workers.rank, workers.rank + 1))
    if low == high:
        return slice(0, 1), 0
    return slice(low, high), high - low


def over_contexts(part: Any, contexts: List[mx.Context]) -> List[Any]:
    """Split an array over contexts; where there are too few samples, the last borrow the first."""
    samples = len(part)
    load = mx.gluon.utils.split_and_load
    if samples >= len(contexts):
        return list(load(part, contexts, even_split=False))
    numbers = [*range(samples), *[0] * (len(contexts) - samples)]
    return [load(part[n : n + 1], [context])[0] for n, context in zip(numbers, contexts)]
