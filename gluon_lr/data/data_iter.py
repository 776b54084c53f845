"""MXNet's data iterators as data loaders, which yield batches without padding."""

import copy
from typing import Any, Iterable, Iterator, Optional

import numpy as np

from .._mxnet import mx
from .batch_split import BatchSplit
from .structure import Batch

_ORDERED = ("data", "label")  # attributes that an NDArrayIter shuffles


class DataIterPasses:
    """The passes of an mx.io.DataIter; each begins with its ``reset()``.

    The padding of a last batch is removed.

    Parameters
    ----------
    data_iter : mx.io.DataIter
        Yields DataBatches, or batches of another type.
    split : BatchSplit
        Removes the padding.

    Attributes
    ----------
    order : numpy.ndarray or None
        For an NDArrayIter that shuffles: the order of its original samples in the current pass.
        Each pass shuffles the order of the pass before.
    """

    def __init__(self, data_iter: Any, split: BatchSplit) -> None:
        self.data_iter = data_iter
        self._split = split
        self.order: Optional[np.ndarray] = None
        self._is_in = b""  # the order, in bytes, in which the iterator is now
        if isinstance(data_iter, mx.io.NDArrayIter) and data_iter.shuffle:
            self._first = {name: getattr(data_iter, name) for name in _ORDERED}
            self.order = np.arange(data_iter.num_data)
            self._is_in = self.order.tobytes()

    def __len__(self) -> int:
        """Return the number of batches in a pass; a TypeError if the iterator has no length."""
        data_iter = self.data_iter
        if not isinstance(data_iter, mx.io.NDArrayIter):
            raise TypeError(f"{type(data_iter).__name__} has no known length")
        whole, rest = divmod(int(data_iter.num_data), int(data_iter.batch_size))
        return whole + (rest > 0 and data_iter.last_batch_handle == "pad")

    def __iter__(self) -> Iterator[Batch]:
        self._reset()
        rolls_over = getattr(self.data_iter, "last_batch_handle", None) == "roll_over"
        for batch in self.data_iter:
            padded = getattr(batch, "pad", None) and not rolls_over
            yield self._without_padding(batch) if padded else batch

    def _reset(self) -> None:
        data_iter = self.data_iter
        if self.order is not None and self.order.tobytes() != self._is_in:
            for name, sources in self._first.items():
                setattr(data_iter, name, [(key, _ordered(one, self.order)) for key, one in sources])
        if getattr(data_iter, "last_batch_handle", None) == "roll_over":
            _keep_what_rolls_over(data_iter)
        data_iter.reset()
        if self.order is not None:
            self.order = self.order[data_iter.idx]
            self._is_in = self.order.tobytes()

    def _without_padding(self, batch: Any) -> Batch:
        whole = copy.copy(batch)
        whole.pad = 0
        samples = self._split.samples(batch)
        return self._split.part(whole, slice(0, samples - batch.pad))


def passes_of(loader: Any, split: BatchSplit) -> Iterable[Batch]:
    """Return an iterable over a pass: the loader itself, unless it is a DataIter."""
    return DataIterPasses(loader, split) if isinstance(loader, mx.io.DataIter) else loader


def _keep_what_rolls_over(data_iter: Any) -> None:
    """Store the samples left at the end of a pass in an NDArrayIter, if it has not done so."""
    start = data_iter.cursor
    if data_iter._cache_data is None and 0 < data_iter.num_data - start < data_iter.batch_size:
        data_iter._cache_data = [one[start:] for _, one in data_iter.data]
        data_iter._cache_label = [one[start:] for _, one in data_iter.label]


def _ordered(source: Any, order: np.ndarray) -> Any:
    if source.stype == "csr":
        return mx.nd.sparse.array(source.asscipy()[order], ctx=source.context)
    return mx.nd.array(source.asnumpy()[order], ctx=source.context, dtype=source.dtype)
