"""Splitting a batch: over workers, and over the contexts of each worker."""

from collections import deque
from itertools import accumulate
from typing import Any, Deque, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .. import _check
from .._mxnet import for_gluon, mx
from ..distributed.workers import Workers
from .structure import Batch, arrays_in, is_array, kind_of, mapped, parts_of, with_parts

Path = Tuple[int, ...]


class Share(NamedTuple):
    """One worker's part of a batch; a single worker has all of it.

    If a batch has fewer samples than there are workers, some workers borrow a sample of another
    one, and `is_own` is false. `samples` holds the number of this worker's samples and that of
    all samples, or is None if unknown.
    """

    batch: Batch
    is_own: bool = True
    samples: Optional[Tuple[int, int]] = None


class IndexShares:
    """A batch sampler of one worker's part of each batch.

    Parameters
    ----------
    batch_sampler : iterable
        Yields the indices of each batch.
    workers : Workers
        The workers that share the batches.

    Attributes
    ----------
    shares : deque of Share
        For each batch that is drawn but not taken yet: the slice of its indices, as a share.
    """

    def __init__(self, batch_sampler: Any, workers: Workers) -> None:
        self._batch_sampler = batch_sampler
        self._workers = workers
        self.shares: Deque[Share] = deque()

    def __iter__(self) -> Iterator[List[Any]]:
        for batch in self._batch_sampler:
            indices = list(batch)
            share = own_share(len(indices), self._workers)
            self.shares.append(share)
            yield indices[share.batch]

    def __len__(self) -> int:
        return len(self._batch_sampler)


def own_share(samples: int, workers: Workers) -> Share:
    """Return this worker's share of a number of samples, as a slice."""
    low, high = (samples * rank // workers.count for rank in (workers.rank, workers.rank + 1))
    part = slice(0, 1) if low == high else slice(low, high)
    return Share(part, low < high, (high - low, samples))


class BatchSplit:
    """Splits batches of any structure by samples.

    Each array is split along its batch axis, or along its last axis if it has fewer. A list with
    one array per sample, which may differ in size, is split as a list. Anything else is not split:
    every part gets all of it. The same holds for an array without axes.

    Parameters
    ----------
    batch_axis : int
        The axis of the samples.
    """

    def __init__(self, batch_axis: int = 0) -> None:
        self.axis = batch_axis
        self._by_sample: Dict[Path, bool] = {}  # by list: has it one array per sample?

    def samples(self, batch: Batch) -> int:
        """Return how many samples a batch has.

        Raises
        ------
        ValueError
            If its arrays differ in this.
        """
        lists = dict(_lists_in(batch))
        inside = {id(array) for one in lists.values() for array in one}
        lengths = set(self._lengths(one for one in arrays_in(batch) if id(one) not in inside))
        found = lengths or self._lengths_of(lists)
        if len(found) != 1:
            raise _not_alike(batch, sorted(found))
        (samples,) = found
        for path, one in lists.items():
            is_sure = path in self._by_sample or not lengths
            self._by_sample[path] = self._is_by_sample(path, one, samples, is_sure)
        return samples

    def part(self, batch: Batch, samples: slice) -> Batch:
        """Return the part of a batch with some of its samples; call :meth:`samples` first."""
        return self._part(batch, samples, ())

    def size(self, batch: Batch) -> int:
        """Return the number of samples of the longest array, or 1 if there is none."""
        return max(self._lengths(arrays_in(batch)), default=1)

    def over_contexts(
        self, batch: Batch, contexts: Sequence[mx.Context]
    ) -> Tuple[List[Batch], int]:
        """Split a batch over contexts; if it has too few samples, the last ones borrow the first.

        Returns
        -------
        list of batches, int
            A part on each context, and how many of these are not borrowed.
        """
        if len(contexts) == 1:
            return [on_context(batch, contexts[0])], 1
        ends = list(accumulate(self.sizes(batch, len(contexts)), initial=0))
        slices = [slice(low, high) for low, high in zip(ends, ends[1:])]
        own = len(slices)
        slices += [slice(0, 1)] * (len(contexts) - own)
        parts = [
            on_context(self.part(batch, one), context) for one, context in zip(slices, contexts)
        ]
        return parts, own

    def sizes(self, batch: Batch, count: int) -> List[int]:
        """Return the number of samples in each of `count` parts of a batch, without empty parts."""
        each, more = divmod(self.samples(batch), count)
        return [each + 1] * more + [each] * (count - more) * bool(each)

    def _lengths(self, arrays: Iterable[Any]) -> Iterator[int]:
        """Yield the number of samples of each array that has axes."""
        for shape in (array.shape for array in arrays):
            if shape:
                yield shape[min(self.axis, len(shape) - 1)]

    def _lengths_of(self, lists: Dict[Path, List[Any]]) -> "set[int]":
        """Return how many samples there are, from the arrays in lists or the lists' lengths."""
        known_by_sample = any(self._by_sample.get(path) for path in lists)
        arrays = set(self._lengths(array for one in lists.values() for array in one))
        if len(arrays) == 1 and not known_by_sample:
            return arrays
        return {len(one) for one in lists.values()}

    def _is_by_sample(self, path: Path, arrays: List[Any], samples: int, is_sure: bool) -> bool:
        by_sample = len(arrays) == samples
        by_array = list(self._lengths(arrays)) == [samples] * len(arrays)
        if by_sample and by_array:
            if not is_sure:
                raise _ambiguous(arrays)
            return self._by_sample.get(path, False)
        if not by_sample and not by_array:
            raise _not_alike(arrays, sorted({samples, len(arrays)}))
        return by_sample

    def _part(self, part: Any, samples: slice, path: Path) -> Any:
        if is_array(part):
            return self._slice(part, samples)
        if self._by_sample.get(path) and _is_list_of_arrays(part):
            return part[samples]
        parts = enumerate(parts_of(part))
        return with_parts(part, [self._part(one, samples, (*path, n)) for n, one in parts])

    def _slice(self, array: Any, samples: slice) -> Any:
        axes = array.ndim
        if not axes:
            return array
        axis = min(self.axis, axes - 1)
        return array[(slice(None),) * axis + (samples,)] if axis else array[samples]


def on_context(batch: Batch, context: mx.Context) -> Batch:
    """Return a batch with its arrays on a context."""

    def move(array: Any) -> Any:
        if isinstance(array, mx.nd.NDArray):
            return for_gluon(array).as_in_context(context)
        kind = mx.np if mx.util.is_np_array() else mx.nd
        return kind.array(array, ctx=context)

    return mapped(move, batch)


def _lists_in(part: Any, path: Path = ()) -> Iterator[Tuple[Path, List[Any]]]:
    """Yield the lists of arrays within a batch, except the batch itself."""
    for number, one in enumerate(parts_of(part)):
        place = (*path, number)
        if _is_list_of_arrays(one) and not isinstance(part, mx.io.DataBatch):
            yield place, one
        elif not is_array(one):
            yield from _lists_in(one, place)


def _is_list_of_arrays(part: Any) -> bool:
    return type(part) is list and bool(part) and all(map(is_array, part))


def _not_alike(batch: Batch, lengths: List[int]) -> ValueError:
    shown = f"{kind_of(batch)}, with {' or '.join(map(str, lengths)) or 'no'} samples"
    constraint = "an iterable of batches whose arrays all have the same number of samples"
    remedy = (
        "Pass the axis of the samples as batch_axis; or remove arrays without such an axis from "
        "the batch, or convert them to another type; or train on one context."
    )
    return ValueError(_check.message("Learner", "data_loader", constraint, shown, remedy))


def _ambiguous(arrays: List[Any]) -> ValueError:
    constraint = "batches that show whether a list holds several arrays or one array per sample"
    remedy = "Put several arrays into a tuple, or start with a batch of another size."
    return ValueError(_check.message("Learner", "data_loader", constraint, kind_of(arrays), remedy))
