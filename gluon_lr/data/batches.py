"""The batches of a data loader, pass after pass, and a way to look ahead without moving on."""

import contextlib
import copy
from collections import deque
from typing import Any, Deque, Dict, Iterable, Iterator, NamedTuple, Optional, Tuple

import numpy as np

from .. import _check
from .._mxnet import draws_indices, threads_of
from ..distributed.workers import Workers
from ..state.generators import GlobalState, states_held_by
from ..state.transaction import afterwards
from .batch_split import IndexShares, Share, own_part

Batch = Tuple[Any, Any]

_PAIRS = "an iterable of (data, label) pairs"


class Batches:
    """The (data, label) pairs of a data loader, which is started again at its end.

    Several workers split each batch. They draw alike: each pass begins with the generators of
    the first worker. A DataLoader reads a worker's own samples alone.

    Parameters
    ----------
    data_loader : iterable
        Yields (data, label) pairs in every pass.
    workers : Workers
        Who share the batches.
    split : bool
        Whether they split each batch; otherwise it is the worker's own already.
    """

    def __init__(self, data_loader: Iterable[Batch], workers: Workers, split: bool = True) -> None:
        self._loader = data_loader
        self._workers = workers
        self._split = split
        self._sizes: Deque[Tuple[int, int]] = deque()  # of shares to come, where indices are split
        self._iterator: Optional[Iterator[Batch]] = None
        self._begun = GlobalState.get()  # the generators at the start of the pass
        self._drawn = 0  # batches read in this pass
        self._ahead: Optional[Place] = None  # to go to before the next batch
        self._kept: Deque[_Draw] = deque()  # read already, and to be given again
        self._given: Optional[int] = None  # how many of these, in a block that keeps the place

    def next(self) -> Share:
        """Return the next batch, or what this worker has of it.

        Raises
        ------
        ValueError
            Where the loader yields nothing, or something other than pairs.
        """
        if self._given is not None:
            if self._given == len(self._kept):
                self._kept.append(_Draw(GlobalState.get(), self._read_to_keep(), GlobalState.get()))
            draw = self._kept[self._given]
            self._given += 1
        elif self._kept:
            draw = self._kept.popleft()
        else:
            return self._read()
        if GlobalState.get() == draw.before:
            draw.after.put_back()
        return draw.share

    @contextlib.contextmanager
    def place_kept(self) -> Iterator[None]:
        """Give the batches of another pass within the block, and go on as before after it.

        What can be passed through only once at a time, an iterator, gives the next batches
        instead. They stay in memory and are given again after the block.
        """
        if hasattr(self._loader, "__next__") or threads_of(self._loader) is not None:
            given = self._given
            with afterwards(lambda: setattr(self, "_given", given)):
                self._given = given or 0
                yield
            return
        place = self._iterator, self._sizes, self._begun, self._drawn, self._ahead
        iterator, generators = self._iterator, states_held_by(self._loader)

        def go_back() -> None:
            passing = self._iterator
            self._iterator, self._sizes, self._begun, self._drawn, self._ahead = place
            for put_back in generators:
                put_back()
            if passing is not iterator:
                _release(passing)

        with _sampler_kept(self._loader), afterwards(go_back):
            self._iterator = self._ahead = None
            yield

    def place(self) -> "Place":
        """Return the place in the data, to :meth:`go_to` in another process as well."""
        if self._ahead is not None:
            return self._ahead
        return Place(self._begun, self._drawn - len(self._kept), GlobalState.get())

    def go_to(self, place: "Place") -> None:
        """Give next what followed `place`: begin the pass as it was begun, and read up to there.

        That is done when the next batch is asked for, or by :meth:`catch_up`; the generators are
        then those of `place`.
        """
        self.close()
        self._ahead = place

    def catch_up(self) -> None:
        """Go to the place that was given to :meth:`go_to`."""
        if self._ahead is not None:
            place, self._ahead = self._ahead, None
            place.begun.put_back()
            for _ in range(place.drawn):
                self._read()
            place.now.put_back()

    def start_pass(self) -> None:
        """Give next the first batch of a new pass, where the loader has more than one."""
        if hasattr(self._loader, "__next__"):
            return
        if self._ahead is not None:
            self._ahead.now.put_back()
        self.close()

    def close(self) -> None:
        """Give up the place in the data, and the workers that read ahead of it."""
        iterator, self._iterator = self._iterator, None
        self._ahead = None
        self._kept.clear()
        _release(iterator)
        if iterator is not None:
            _start_over(self._loader)

    def _read(self) -> Share:
        self.catch_up()
        batch = None if self._iterator is None else next(self._iterator, None)
        if batch is None:
            self._draw_alike()
            self._begun, self._drawn = GlobalState.get(), 0
            batch = self._begin_pass()
        if batch is None:
            raise empty(self._loader)
        self._drawn += 1
        return self._share(*_pair(batch))

    def _read_to_keep(self) -> Share:
        share = self._read()
        if threads_of(self._loader) is None:
            return share
        # later batches come in the same arrays
        return share._replace(data=share.data.copy(), label=share.label.copy())

    def _draw_alike(self) -> None:
        """Begin a pass with the generators of the first worker, where they split its batches."""
        if self._workers.count == 1 or not self._split:
            return
        if threads_of(self._loader) is not None:
            constraint = "one that all workers draw alike from"
            remedy = "Make it with DataLoader(..., try_nopython=False)."
            raise ValueError(
                _check.message("Learner", "data_loader", constraint, self._loader, remedy)
            )
        data = self._workers.of_first(GlobalState.get().as_data())
        GlobalState.from_data(data).put_back()

    def _begin_pass(self) -> Optional[Any]:
        """Begin a pass of the loader and return its first batch; None where there is none."""
        if not self._splits_indices:
            self._iterator = iter(self._loader)
            return next(self._iterator, None)
        loader: Any = self._loader
        shares = IndexShares(loader._batch_sampler, self._workers)
        self._sizes = shares.sizes
        with _sampler_exchanged(loader, shares):
            self._iterator = iter(loader)
            return next(self._iterator, None)

    @property
    def _splits_indices(self) -> bool:
        return self._split and self._workers.count > 1 and draws_indices(self._loader)

    def _share(self, data: Any, label: Any) -> Share:
        if self._splits_indices:
            return Share(data, label, *self._sizes.popleft())
        samples = len(data)
        if self._workers.count == 1:
            return Share(data, label, samples, samples)
        if not self._split:
            total = self._workers.sum(np.array([samples]))
            return Share(data, label, samples, int(total[0]))
        own, count = own_part(samples, self._workers)
        return Share(data[own], label[own], count, samples)


def one_pass(data_loader: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the (data, label) pairs of one pass.

    Raises
    ------
    ValueError
        Where the loader yields nothing, or something other than pairs.
    """
    batch = None
    _start_over(data_loader)
    for batch in data_loader:
        yield _pair(batch)
    if batch is None:
        raise empty(data_loader)


def check_loader(owner: str, argument: str, loader: Any) -> None:
    """Raise a TypeError where `loader` cannot be iterated over."""
    if not hasattr(loader, "__iter__"):
        raise TypeError(_check.message(owner, argument, _PAIRS, loader))


def _pair(batch: Any) -> Batch:
    sequence = isinstance(batch, (tuple, list))
    if not sequence or len(batch) != 2:
        parts = [type(part).__name__ for part in batch] if sequence else type(batch)
        raise ValueError(_check.message("Learner", "data_loader", _PAIRS, parts))
    return batch[0], batch[1]


def empty(loader: Any) -> ValueError:
    """Return the error of a loader that yields nothing."""
    constraint = "an iterable that yields a batch in every pass"
    remedy = "Is the dataset empty, or the loader a generator that has ended?"
    return ValueError(_check.message("Learner", "data_loader", constraint, loader, remedy))


class Place(NamedTuple):
    """A place in the data: the generators where its pass began, the batches since, and now's."""

    begun: GlobalState
    drawn: int
    now: GlobalState

    def as_data(self) -> Dict[str, Any]:
        """Return the place as what `json` can write."""
        return {"begun": self.begun.as_data(), "drawn": self.drawn, "now": self.now.as_data()}

    @classmethod
    def from_data(cls, data: Dict[str, Any]) -> "Place":
        """Return the place that :meth:`as_data` wrote."""
        begun, now = (GlobalState.from_data(data[name]) for name in ("begun", "now"))
        return cls(begun, data["drawn"], now)


class _Draw(NamedTuple):
    """A batch, and the global generators before and after it was drawn."""

    before: GlobalState
    share: Share
    after: GlobalState


@contextlib.contextmanager
def _sampler_kept(loader: Any) -> Iterator[None]:
    """Let a DataLoader draw by a copy of its sampler: `last_batch='rollover'` remembers."""
    if not draws_indices(loader):
        yield
        return
    sampler = loader._batch_sampler
    try:
        passing = copy.deepcopy(sampler, {id(loader._dataset): loader._dataset})
    except TypeError:  # one of a user's, which holds a generator or a lock
        passing = sampler
    with _sampler_exchanged(loader, passing):
        yield


@contextlib.contextmanager
def _sampler_exchanged(loader: Any, other: Any) -> Iterator[None]:
    """Let a DataLoader draw by another sampler in the block."""
    # A copy of the loader would end the worker processes it shares when it is deleted, so it
    # is the private attribute that is exchanged.
    sampler = loader._batch_sampler
    with afterwards(lambda: setattr(loader, "_batch_sampler", sampler)):
        loader._batch_sampler = other
        yield


def _start_over(loader: Any) -> None:
    """Have the next pass begin at its start, where another one was not ended."""
    threads = threads_of(loader)
    if threads is not None:
        threads.reset()


def _release(iterator: Any) -> None:
    for release in ("close", "shutdown"):
        if hasattr(iterator, release):
            getattr(iterator, release)()
