"""An endless batch sampler."""

from typing import Iterable, Iterator, List, Sized

from .. import _check


class ContinuousBatchSampler:
    """A batch sampler that yields full batches endlessly; a batch may span two passes.

    Pass it to ``mx.gluon.data.DataLoader(dataset, batch_sampler=...)`` to train by iterations
    rather than by epochs. If the dataset is smaller than a batch, a batch spans several passes.

    Parameters
    ----------
    sampler : iterable of int
        Yields the indices of a new pass each time it is iterated over, for example
        `mx.gluon.data.RandomSampler`.
    batch_size : int
        Indices in a batch, at least 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds, or the sampler yields nothing.

    >>> batches = iter(ContinuousBatchSampler([0, 1, 2, 3, 4], batch_size=2))
    >>> [next(batches) for _ in range(5)]
    [[0, 1], [2, 3], [4, 0], [1, 2], [3, 4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int) -> None:
        name = type(self).__name__
        if not hasattr(sampler, "__iter__"):
            raise TypeError(_check.message(name, "sampler", "an iterable of indices", sampler))
        self._sampler = sampler
        self._batch_size = _check.integer(name, "batch_size", batch_size, 1)
        if isinstance(sampler, Sized) and len(sampler) == 0:
            raise ValueError(self._empty())

    def __iter__(self) -> Iterator[List[int]]:
        batch: List[int] = []
        while True:
            index = None
            for index in self._sampler:
                batch.append(index)
                if len(batch) == self._batch_size:
                    yield batch
                    batch = []
            if index is None:
                raise ValueError(self._empty())

    def _empty(self) -> str:
        return _check.message(
            type(self).__name__,
            "sampler",
            "an iterable that yields indices in every pass",
            self._sampler,
            "Check whether the dataset is empty, or the sampler is a generator that has ended.",
        )
