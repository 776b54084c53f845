"""The batches of a data loader, pass after pass, which can also be read ahead and given back."""

from collections import deque
from functools import partial
from typing import Any, Callable, Deque, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from .. import _check
from .._interrupts import uninterrupted
from .._mxnet import draws_indices, keeps_all_samples, mx, threads_of
from ..distributed.workers import Workers
from ..state.generators import GlobalState
from ..state.memory import Memory
from ..state.transaction import Kept, Transaction, afterwards
from .batch_split import BatchSplit, IndexShares, Share, own_share
from .data_iter import DataIterPasses, passes_of
from .held_out import Held, HeldBatches, HeldSamples, nothing_to_hold_out
from .place import LoaderMemory, Moment, Place
from .structure import Batch, mapped


class Batches:
    """The batches of a data loader, which is restarted at its end.

    Several workers split each batch. They all draw the same batches, because each pass begins
    with the random state of the first worker. A DataLoader reads only the worker's own samples.

    Parameters
    ----------
    data_loader : iterable
        Yields batches of any structure in every pass.
    workers : Workers
        The workers that share the batches.
    split : bool
        Whether the workers split each batch. If not, each worker's loader yields its own batches.
    batch_split : BatchSplit, optional
        How to split a batch.
    """

    def __init__(
        self,
        data_loader: Iterable[Batch],
        workers: Workers,
        split: bool = True,
        batch_split: Optional[BatchSplit] = None,
    ) -> None:
        batch_split = batch_split or BatchSplit()
        self._loader = passes_of(data_loader, batch_split)
        self._workers = workers
        self.split = split
        self._split = batch_split
        self._memory = LoaderMemory(self._loader)
        self._shares: Deque[Share] = deque()  # of batches not read yet, if indices are split
        self._iterator: Optional[Iterator[Batch]] = None
        self._begun = self._moment()  # at the start of the pass
        self._drawn = 0  # batches read in this pass
        self._passes = 0  # begun so far
        self._ended = False  # whether the last batch of this pass was read
        self._ahead: Optional[Place] = None  # to go to before the next batch
        self._kept: Deque[_Draw] = deque()  # read already, but not moved on from
        self._given: Optional[int] = None  # how many of these were given in a place_kept() block
        self._used = 0  # batches moved on from, in their pass
        self._opened: Optional[_Opening] = None  # set if the last read began a pass
        self._held: Optional[Held] = None  # what is held out

    def __len__(self) -> int:
        """Return the number of batches in a pass; a TypeError if the loader has no length."""
        length = len(self._loader)  # type: ignore[arg-type]
        return length if self._held is None else self._held.remaining(length)

    def next(self) -> Share:
        """Return this worker's share of the next batch; after the last batch, of the first.

        Raises
        ------
        ValueError
            If the loader yields nothing.
        """
        share = self.peek()
        self.move_on()
        return share

    def peek(self) -> Share:
        """Return what :meth:`next` would return, the same at each call until :meth:`move_on`."""
        self.catch_up()
        if self._at == len(self._kept):
            self._keep(self._read)
        draw = self._kept[self._at]
        if self._holds_out(draw):
            self._pass_over()
            return self.peek()
        if draw.after is not None and GlobalState.get() == draw.before:
            draw.after.put_back()
        return self._part_of(draw.share)

    def move_on(self) -> None:
        """Move on from the batch that :meth:`peek` returned."""
        self._used = 1 if self._kept[self._at].opens else self._used + 1
        self._pass_over()

    @uninterrupted
    def has_more(self) -> bool:
        """Return whether the pass has another batch; this reads the batch."""
        self.catch_up()
        while self._has_next():
            if not self._holds_out(self._kept[self._at]):
                return True
            self._pass_over()
        return False

    def place_kept(self) -> Transaction:
        """Return a context manager that gives another pass, and returns to this place at its end.

        Some loaders can make only one pass at a time: an iterator, an object that holds one, or a
        DataIter. These give the next batches instead, which are kept in memory and given again
        after the block.
        """
        is_iterator = hasattr(self._loader, "__next__")
        if is_iterator or self._has_one_pass:
            return _GivenAgain(self)
        if self._can_hold_iterator and Memory(self._loader).has_iterator:
            return _GivenAgain(self)
        return _AnotherPass(self)

    def find_held_out(self, share: float, most: int) -> Tuple[Held, List[Batch]]:
        """Return what :meth:`held_out` can hold out, and its batches; the place is not changed.

        Parameters
        ----------
        share : float
            The fraction of the data to hold out, above 0 and at most 0.5.
        most : int
            The largest number of samples. If whole batches are held out, it is at least one batch.

        Raises
        ------
        ValueError
            If a pass has only one sample or batch.
        """
        self.catch_up()
        generators, kept = afterwards(GlobalState.get().put_back), self.place_kept()
        with generators as again, again, kept as once_more, once_more:
            if draws_indices(self._loader):
                return self._find_samples(share, most)
            return self._find_batches(share, most)

    def held_out(self, held: Held) -> Transaction:
        """Return a context manager within which the batches exclude what is held out.

        Use it within a block of :meth:`place_kept`.
        """
        return _HoldingOut(self, held)

    def place(self) -> Place:
        """Return the place in the data, for :meth:`go_to` in this or another process."""
        if self._ahead is not None:
            return self._ahead
        now = self._moment()
        if self._passes > 1 and self._can_hold_iterator and self._memory.has_iterator:
            _check.warn_caller(
                f"Learner: `data_loader`, {type(self._loader).__name__}, contains an iterator, and "
                "a file cannot store the position of an iterator. A training that continues from "
                "this file gets other batches. Pass iter(loader), of a loader that never ends, "
                "and iterations_per_epoch to the Learner."
            )
        to_come = list(self._kept)[self._given or 0 :]
        for number, draw in enumerate(to_come):
            if draw.opens and number + self._used:  # the next pass has been read into
                now = now._replace(loader=None)
                return Place(draw.opens.begun, draw.opens.drawn, number, now)
        return Place(self._begun, self._drawn, len(to_come), now)

    def bookmark(self) -> Callable[[], None]:
        """Return a function that goes to this place, even after a block of :meth:`place_kept`.

        In the middle of a pass, it reads the pass again up to this place.
        """
        if self._given is not None:
            return partial(self._skip, self._given, self._used)
        place = self.place()
        if self._ended and not self._kept:
            return partial(self._end_pass, place, self._used, Memory(self._loader).keep())
        return partial(self._read_up_to, place)

    def _skip(self, count: int, used: int) -> None:
        for _ in range(count):
            self._kept.popleft()
        self._used = used

    def _end_pass(self, place: Place, used: int, put_back_memory: Callable[[], None]) -> None:
        self.close()
        self._begun, self._drawn = place.begun, place.drawn
        self._used, self._ended = used, True
        put_back_memory()

    def _read_up_to(self, place: Place) -> None:
        self.go_to(place)
        self.catch_up()

    def check_place(self, place: Place) -> List[str]:
        """Return the paths of values in `place` that the loader sets differently or lacks.

        Raises
        ------
        ValueError
            If it cannot be a place of this loader.
        """
        moments = (place.begun, place.now)
        remembered = [moment.loader for moment in moments if moment and moment.loader]
        return list(dict.fromkeys(path for one in remembered for path in self._memory.check(one)))

    def go_to(self, place: Place) -> None:
        """Go to `place`: begin the pass in the same random state, and read up to there.

        This happens when the next batch is requested, or in :meth:`catch_up`. The generators then
        have their states at `place`. A value that the script now sets differently is not changed.
        """
        self.close()
        self._ahead = place

    def catch_up(self) -> None:
        """Do what the last :meth:`go_to` has left to do."""
        place = self._ahead
        if place is None:
            return
        try:
            if place.begun is self._begun and place.begun.loader:  # after an error in the pass
                self._memory.go_back(place.begun.loader)
            self._put_back(place.begun)
            for number in range(place.drawn):
                share = self._read_on() if number else self._read()
                if share is None:  # the loader has become shorter
                    break
                if number >= place.drawn - place.again:
                    self._kept.append(_Draw(share, self._drawn))
            self._used = place.drawn - place.again
            self._put_back(place.now)
            self._ahead = None
        except BaseException:
            self.go_to(place)
            raise

    def start_pass(self) -> None:
        """Begin a new pass at the next batch, unless the loader has only one pass."""
        goes_on = hasattr(self._loader, "__next__")
        if self._given is not None:  # what was read must be given again
            while self._used and not goes_on and self.has_more():
                self.next()
            self._used = 0
            return
        if goes_on and not self._ended:
            return
        if any(draw.opens for draw in self._kept):  # a block has begun it
            while not self._kept[0].opens:
                self._kept.popleft()
            self._used = 0
            return
        if self._ahead is not None:
            self._put_back(self._ahead.now)
        self.close()

    @property
    def has_one_pass(self) -> bool:
        """Whether this is in a block of :meth:`place_kept` that reads the next batches."""
        return self._given is not None

    def close(self) -> None:
        """Forget the place in the data, and stop the workers that read ahead."""
        iterator, self._iterator = self._iterator, None
        self._ahead = None
        self._kept.clear()
        self._drawn, self._used, self._ended = 0, 0, False
        _release(iterator)
        if iterator is not None:
            _start_over(self._loader)

    @property
    def _at(self) -> int:
        """The index of the next batch among those kept."""
        return self._given or 0

    def _pass_over(self) -> None:
        if self._given is None:
            self._kept.popleft()
        else:
            self._given += 1

    @uninterrupted
    def _has_next(self) -> bool:
        if self._at < len(self._kept):
            return not self._used or not self._kept[self._at].opens
        return self._keep(self._read_on if self._used else self._read)

    def _holds_out(self, draw: "_Draw") -> bool:
        return isinstance(self._held, HeldBatches) and self._held.holds(draw.place)

    def _find_batches(self, share: float, most: int) -> Tuple[HeldBatches, List[Batch]]:
        """Read the rest of this pass, if begun, and a pass, until `most` samples are held out."""
        held, batches, samples = HeldBatches(round(1 / share)), [], 0
        begins_again = not hasattr(self._loader, "__next__")
        for _ in range(2 if self._used and begins_again else 1):
            while samples < most and self._has_next():
                draw = self._kept[self._at]
                if held.holds(draw.place):
                    batches.append(draw.share.batch)
                    samples += self._split.size(draw.share.batch)
                self.move_on()
            self._used = 0
        if not batches:
            raise nothing_to_hold_out("batch")
        return held, batches

    def _find_samples(self, share: float, most: int) -> Tuple[HeldSamples, List[Batch]]:
        loader: Any = self._loader
        self._draw_alike()
        held = HeldSamples(loader, share, most)
        with _SamplerExchanged(loader, held.batches) as again, again:
            return held, list(loader)

    def _moment(self) -> Moment:
        return Moment(GlobalState.get(), self._memory.now())

    def _put_back(self, moment: Optional[Moment]) -> None:
        if moment is None:
            return
        if moment.loader is not None:
            self._memory.put_back(moment.loader)
        moment.generators.put_back()

    def _keep(self, read: Callable[[], Optional[Share]]) -> bool:
        """Read and keep a batch; if it must be given again, also the generators' states."""
        before = None if self._given is None else GlobalState.get()
        self._opened = None
        share = read()
        if share is None:
            return False
        if before is None:
            self._kept.append(_Draw(share, self._drawn, self._opened))
            return True
        if self._has_one_pass:  # later batches may come in the same arrays
            share = share._replace(batch=mapped(lambda array: array.copy(), share.batch))
        draw = _Draw(share, self._drawn, self._opened, before, GlobalState.get())
        self._kept.append(draw)
        return True

    def _read(self) -> Share:
        """Read the next batch of the pass, or at its end the first one of a new pass."""
        share = self._read_on()
        if share is not None:
            return share
        self._draw_alike()
        ended, self._begun = self._begun, self._moment()
        self._opened = _Opening(ended, self._drawn)
        self._drawn, self._ended = 0, False
        self._passes += 1
        batch = self._or_begin_again(self._begin_pass)
        if batch is None:
            raise empty(self._loader)
        self._drawn = 1
        return self._share(batch)

    def _read_on(self) -> Optional[Share]:
        """Read the next batch of the pass; None at its end."""
        iterator = self._iterator
        if iterator is None or self._ended:
            return None
        batch = self._or_begin_again(lambda: next(iterator, None))
        if batch is None:
            self._ended = True
            return None
        self._drawn += 1
        return self._share(batch)

    def _or_begin_again(self, read: Callable[[], Optional[Any]]) -> Optional[Any]:
        """Return what `read` returns; after an error, prepare to start the pass again."""
        # An error ends a generator, so the pass has to start again. This does not use contextlib:
        # if a block were interrupted at its end, this would run much later.
        try:
            return read()
        except BaseException:
            if not hasattr(self._loader, "__next__"):
                self.go_to(Place(self._begun, self._drawn, len(self._kept), None))
            raise

    def _draw_alike(self) -> None:
        """Take the random state of the first worker for a pass, if workers split its batches."""
        if self._workers.count == 1 or not self.split:
            return
        if threads_of(self._loader) is not None:
            constraint = "a loader from which all workers can draw the same batches"
            remedy = "Create it with DataLoader(..., try_nopython=False)."
            raise ValueError(
                _check.message("Learner", "data_loader", constraint, self._loader, remedy)
            )
        own = GlobalState.get()
        data = self._workers.of_first_if_unlike("generators", own.digest(), own.as_data)
        if data is not None:
            GlobalState.from_data(data).put_back()

    def _begin_pass(self) -> Optional[Any]:
        """Begin a pass of the loader and return its first batch; None if there is none."""
        loader: Any = self._loader
        held = self._held if isinstance(self._held, HeldSamples) else None
        if held is None and not self._splits_indices:
            self._iterator = iter(loader)
            return next(self._iterator, None)
        batches = loader._batch_sampler
        if held is not None:
            batches = held.without(batches)
        if self._splits_indices:
            batches = IndexShares(batches, self._workers)
            self._shares = batches.shares
        with _SamplerExchanged(loader, batches):
            self._iterator = iter(loader)
            return next(self._iterator, None)

    @property
    def _splits_indices(self) -> bool:
        return self.split and self._workers.count > 1 and draws_indices(self._loader)

    @property
    def _has_one_pass(self) -> bool:
        """Whether a second pass would take batches from the first."""
        return isinstance(self._loader, DataIterPasses) or threads_of(self._loader) is not None

    @property
    def _can_hold_iterator(self) -> bool:
        """Whether the loader may hold an iterator that continues into the next pass."""
        passes_anew = isinstance(self._loader, (DataIterPasses, mx.gluon.data.DataLoader))
        return not passes_anew and not hasattr(self._loader, "__next__")

    def _share(self, batch: Batch) -> Share:
        """Return the share for a batch that was read; if indices are split, only a part was."""
        if not self._splits_indices:
            return Share(batch)
        loader: Any = self._loader
        share = self._shares.popleft()
        samples = share.samples if keeps_all_samples(loader._batchify_fn) else None
        return Share(batch, share.is_own, samples)

    def _part_of(self, share: Share) -> Share:
        """Return the worker's part of a share from :meth:`_share`."""
        if self._workers.count == 1 or not self.split or self._splits_indices:
            return share
        own = own_share(self._split.samples(share.batch), self._workers)
        return own._replace(batch=self._split.part(share.batch, own.batch))


def one_pass(
    data_loader: Iterable[Batch], batch_split: BatchSplit, argument: str = "data_loader"
) -> Iterator[Batch]:
    """Yield the batches of one pass; `argument` is the loader's name in messages.

    Raises
    ------
    ValueError
        If the loader yields nothing.
    """
    nothing = True
    _start_over(data_loader)
    for batch in passes_of(data_loader, batch_split):
        nothing = False
        yield batch
    if nothing:
        raise empty(data_loader, argument)


def check_loader(owner: str, argument: str, loader: Any) -> None:
    """Raise a TypeError if `loader` cannot be iterated over."""
    if not hasattr(loader, "__iter__"):
        is_dataset = hasattr(loader, "__getitem__") and hasattr(loader, "__len__")
        remedy = "Pass mx.gluon.data.DataLoader(dataset, batch_size=32)." if is_dataset else ""
        raise TypeError(_check.message(owner, argument, "an iterable of batches", loader, remedy))


def empty(loader: Any, argument: str = "data_loader") -> ValueError:
    """Return the error for a loader that yields nothing."""
    constraint = "an iterable that yields a batch in every pass"
    remedy = (
        "Check whether the dataset is empty, or smaller than a batch with "
        "last_batch='discard', or the loader is a generator that has ended."
    )
    return ValueError(_check.message("Learner", argument, constraint, loader, remedy))


class _Opening(NamedTuple):
    """The beginning of a pass: the start of the pass before, and the batches read in that."""

    begun: Moment
    drawn: int


class _Draw(NamedTuple):
    """A batch, with the global generators before and after it was drawn if it is given again.

    `place` is its place in its pass, from 1. If it begins a pass, `opens` holds the end of the
    pass before.
    """

    share: Share
    place: int
    opens: Optional[_Opening] = None
    before: Optional[GlobalState] = None
    after: Optional[GlobalState] = None


class _AnotherPass(Kept):
    """A context manager for another pass; the loader's state is restored at its end."""

    def __init__(self, batches: Batches) -> None:
        names = (
            "_iterator",
            "_shares",
            "_passes",
            "_begun",
            "_drawn",
            "_used",
            "_ended",
            "_ahead",
            "_kept",
            "_given",
        )
        super().__init__(batches, *names)
        self._batches = batches

    def take(self) -> None:
        super().take()
        self._put_back_memory = Memory(self._batches._loader).keep()

    def begin(self) -> None:
        batches = self._batches
        batches._iterator = batches._ahead = batches._given = None
        batches._drawn, batches._used, batches._ended = 0, 0, False
        batches._kept = deque()
        for name in _begun_ahead(batches._loader):  # Memory.keep() has saved it
            setattr(batches._loader, name, None)

    def put_back(self) -> None:
        passing = self._batches._iterator
        if passing is not self._values["_iterator"]:
            _release(passing)
        super().put_back()
        self._put_back_memory()


class _GivenAgain(Kept):
    """A context manager whose batches are given again after it."""

    def __init__(self, batches: Batches) -> None:
        super().__init__(batches, "_given", "_used")
        self._batches = batches

    def begin(self) -> None:
        self._batches._given = self._batches._given or 0


class _HoldingOut(Kept):
    """A context manager within which the batches exclude what is held out."""

    def __init__(self, batches: Batches, held: Held) -> None:
        super().__init__(batches, "_held")
        self._to_hold = held

    def begin(self) -> None:
        self._owner._held = self._to_hold


class _SamplerExchanged(Kept):
    """A context manager within which a DataLoader uses another batch sampler."""

    # This replaces a private attribute, because a copy of the loader would end the worker
    # processes that both share when it is deleted.

    def __init__(self, loader: Any, other: Any) -> None:
        super().__init__(loader, "_batch_sampler", *_begun_ahead(loader))
        self._other = other

    def begin(self) -> None:
        for name in self._values:
            setattr(self._owner, name, None)
        self._owner._batch_sampler = self._other


def _begun_ahead(loader: Any) -> List[str]:
    """Return the attribute in which 1.9's DataLoader with auto_reload has begun the next pass."""
    return ["_iter"] if draws_indices(loader) and hasattr(loader, "_iter") else []


def _start_over(loader: Any) -> None:
    """Make the next pass begin at its start, even if the last one was not read to its end."""
    threads = threads_of(loader)
    if threads is not None:
        threads.reset()


def _release(iterator: Any) -> None:
    for release in ("close", "shutdown"):
        if hasattr(iterator, release):
            getattr(iterator, release)()
