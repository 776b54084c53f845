"""The batches of a data loader, pass after pass, and a way to look ahead without moving on."""

import contextlib
import copy
from collections import deque
from typing import Any, Deque, Iterable, Iterator, NamedTuple, Optional, Tuple

from .. import _check
from .._mxnet import mx
from .generators import GlobalState, states_held_by
from .transaction import afterwards

Batch = Tuple[Any, Any]


class Batches:
    """The (data, label) pairs of a data loader, which is started again at its end.

    Parameters
    ----------
    data_loader : iterable
        Yields (data, label) pairs in every pass.
    """

    def __init__(self, data_loader: Iterable[Batch]) -> None:
        self._loader = data_loader
        self._iterator: Optional[Iterator[Batch]] = None
        self._kept: Deque[_Draw] = deque()  # read already, and to be given again
        self._given: Optional[int] = None  # how many of these, in a block that keeps the place

    def next(self) -> Batch:
        """Return the next batch.

        Raises
        ------
        ValueError
            Where the loader yields nothing, or something other than pairs.
        """
        if self._given is not None:
            if self._given == len(self._kept):
                self._kept.append(_Draw(GlobalState.get(), self._read(), GlobalState.get()))
            draw = self._kept[self._given]
            self._given += 1
        elif self._kept:
            draw = self._kept.popleft()
        else:
            return self._read()
        if GlobalState.get() == draw.before:
            draw.after.put_back()
        return draw.batch

    @contextlib.contextmanager
    def place_kept(self) -> Iterator[None]:
        """Give the batches of another pass within the block, and go on as before after it.

        What can be passed through only once, an iterator, gives the next batches instead.
        They stay in memory and are given again after the block.
        """
        if hasattr(self._loader, "__next__"):
            given = self._given
            with afterwards(lambda: setattr(self, "_given", given)):
                self._given = given or 0
                yield
            return
        iterator, generators = self._iterator, states_held_by(self._loader)

        def go_back() -> None:
            passing, self._iterator = self._iterator, iterator
            for put_back in generators:
                put_back()
            if passing is not iterator:
                _release(passing)

        with _sampler_kept(self._loader), afterwards(go_back):
            self._iterator = None
            yield

    def close(self) -> None:
        """Give up the place in the data, and the workers that read ahead of it."""
        iterator, self._iterator = self._iterator, None
        self._kept.clear()
        _release(iterator)

    def _read(self) -> Batch:
        if self._iterator is None:
            self._iterator = iter(self._loader)
        batch: Optional[Batch] = next(self._iterator, None)
        if batch is None:
            self._iterator = iter(self._loader)
            batch = next(self._iterator, None)
        if batch is None:
            raise _empty(self._loader)
        return _pair(batch)


def one_pass(data_loader: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the (data, label) pairs of one pass.

    Raises
    ------
    ValueError
        Where the loader yields nothing, or something other than pairs.
    """
    batch = None
    for batch in data_loader:
        yield _pair(batch)
    if batch is None:
        raise _empty(data_loader)


def _pair(batch: Any) -> Batch:
    sequence = isinstance(batch, (tuple, list))
    if not sequence or len(batch) != 2:
        constraint = "an iterable of (data, label) pairs"
        parts = [type(part).__name__ for part in batch] if sequence else type(batch)
        raise ValueError(_check.message("Learner", "data_loader", constraint, parts))
    return batch[0], batch[1]


def _empty(loader: Any) -> ValueError:
    constraint = "an iterable that yields a batch in every pass"
    remedy = "Is the dataset empty, or the loader a generator that has ended?"
    return ValueError(_check.message("Learner", "data_loader", constraint, loader, remedy))


class _Draw(NamedTuple):
    """A batch, and the global generators before and after it was drawn."""

    before: GlobalState
    batch: Batch
    after: GlobalState


@contextlib.contextmanager
def _sampler_kept(loader: Any) -> Iterator[None]:
    """Let a DataLoader draw by a copy of its sampler: `last_batch='rollover'` remembers."""
    if not isinstance(loader, mx.gluon.data.DataLoader):
        yield
        return
    # A copy of the loader would end the worker processes it shares when it is deleted, so it
    # is the private attribute that is exchanged.
    sampler = loader._batch_sampler
    try:
        passing = copy.deepcopy(sampler, {id(loader._dataset): loader._dataset})
    except TypeError:  # one of a user's, which holds a generator or a lock
        passing = sampler
    with afterwards(lambda: setattr(loader, "_batch_sampler", sampler)):
        loader._batch_sampler = passing
        yield


def _release(iterator: Any) -> None:
    for release in ("close", "shutdown"):
        if hasattr(iterator, release):
            getattr(iterator, release)()
