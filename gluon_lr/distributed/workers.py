"""The processes that train together, through a trainer's distributed KVStore."""

import atexit
import concurrent.futures
import json
import os
import sys
import threading
import time
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple
from weakref import proxy

import numpy as np

from .. import _trainer
from .._mxnet import mx, nd
from .exchange import LOOK, Exchange, WorkersLostError, connect, no_answer, seconds_to_wait

_KEY = 200_000  # in the KVStore, above all parameters' numbers; MXNet multiplies it by 9973
_ADDRESS = 256  # bytes for that of the first
_ON_TRAINER = "_gluon_lr_workers"  # where a trainer has its own
_stores: List[Any] = []  # the KVStores that this process has to free


class Workers:
    """The processes that train together through a trainer's KVStore; one, without such a KVStore.

    All of them have to make the same calls. Where one makes others, or ends, the others raise a
    WorkersLostError at once; where one does not answer, after the seconds that the variable
    GLUON_LR_TIMEOUT holds, 300 by default. A program that ends with an exception then ends at
    once, which MXNet would not let it.

    MXNet's servers add up gradients. Other numbers are added up by the first worker, to which
    the others connect: at the address DMLC_NODE_HOST of its machine, or else at the one from
    which it reaches DMLC_PS_ROOT_URI.

    Parameters
    ----------
    trainer : mx.gluon.Trainer
        Its KVStore is made by :meth:`join`.

    Raises
    ------
    ValueError
        Where another library adds up its gradients, Horovod or BytePS; where GLUON_LR_TIMEOUT
        is no number of seconds.

    Attributes
    ----------
    rank : int
        Which one this is, from 0; known after :meth:`join`.
    count : int
        How many there are; known after :meth:`join`.
    """

    def __init__(self, trainer: mx.gluon.Trainer) -> None:
        _trainer.check_is_not_anothers("Learner", trainer)
        self._trainer = proxy(trainer)  # which holds this in turn
        self._timeout = seconds_to_wait("Learner", os.environ)
        self._exchange: Optional[Exchange] = None
        self._updates = 0
        self._calls: SimpleQueue[Tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._lost: Optional[str] = None  # how
        self._joined = not self.are_apart
        self._store: Any = None
        self.rank = 0
        self.count = 1

    @classmethod
    def of(cls, trainer: mx.gluon.Trainer) -> "Workers":
        """Return those of a trainer: the same object each time."""
        if not hasattr(trainer, _ON_TRAINER):
            setattr(trainer, _ON_TRAINER, cls(trainer))
        workers: Workers = getattr(trainer, _ON_TRAINER)
        return workers

    @property
    def are_apart(self) -> bool:
        """Whether there is a distributed KVStore between them, be it of one worker."""
        return _trainer.is_distributed(self._trainer)

    @property
    def is_first(self) -> bool:
        """Whether this is the one that draws, writes and shows progress."""
        self.join()
        return self.rank == 0

    def join(self) -> None:
        """Meet the others, once.

        Raises
        ------
        ValueError
            Where the KVStore would update the weights on its servers, or compress.
        WorkersLostError
            Where some have not come in time.
        """
        if self._joined:
            return
        _trainer.check_updates_here("Learner", self._trainer)
        _trainer.check_no_compression("Learner", self._trainer)
        threading.Thread(target=_answer, args=(self._calls,), daemon=True).start()
        self._store = self._patiently(lambda: _trainer.make_store(self._trainer))
        self.rank, self.count = self._store.rank, self._store.num_workers
        if self.count > 1:
            self._exchange = self._patiently(
                lambda: connect(self.rank, self.count, self._timeout, self._of_first_by_store)
            )
        self._joined = True
        if not _stores:
            atexit.register(_free_stores)  # which so comes after all have left
        _stores.append(self._store)
        atexit.register(self._leave)

    def take_first_weights(self) -> None:
        """Have the first worker's weights on all of them, where they have shapes; once.

        Raises
        ------
        WorkersLostError
            Where some have not called it in time.
        """
        if self.are_apart:
            self._patiently(lambda: _trainer.prepare(self._trainer))

    def sum(self, values: np.ndarray, what: str = "a sum") -> np.ndarray:
        """Return the sum of all workers' arrays; waits for them.

        Parameters
        ----------
        values : np.ndarray
            Of one shape on all of them. They are added up in float32 if they are in float32, in
            float64 otherwise.
        what : str
            What is added up, in at most 48 characters of ASCII: the same on all of them.

        Raises
        ------
        WorkersLostError
            Where another calls something else, has ended, or has not called it in time.
        """
        if self.count == 1:
            return values
        kind = np.float32 if values.dtype == np.float32 else np.float64
        own = np.ascontiguousarray(values, dtype=kind)
        total = self._told(what, own.tobytes(), partial(_sum_of, kind=kind))
        return np.frombuffer(bytearray(total), dtype=kind).reshape(np.shape(values))

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of all workers' arrays, as :meth:`sum`."""
        return self.sum(values) / self.count

    def means(self, values: Dict[str, float]) -> Dict[str, float]:
        """Return the mean of all workers' values, by name, as :meth:`sum`."""
        each = self.mean(np.array(list(values.values())))
        return dict(zip(values, each.tolist()))

    def of_first(self, data: Any) -> Any:
        """Return what the first worker gave, which `json` can write, on all of them."""
        if self.count == 1:
            return data
        text = json.dumps(data).encode()
        return json.loads(self._told("what the first has", b"", lambda given: text))

    def of_first_if_unlike(
        self, what: str, digest: bytes, data: Callable[[], Any]
    ) -> Optional[Any]:
        """Return what the first worker has, on all of them; None where all have the same.

        Parameters
        ----------
        what : str
            What it is, as :meth:`sum` takes it.
        digest : bytes
            Of what this worker has.
        data : callable
            Returns that, which is not None, and `json` can write.
        """
        if self.count == 1:
            return None

        def answer(digests: List[bytes]) -> bytes:
            return json.dumps(data() if len(set(digests)) > 1 else None).encode()

        return json.loads(self._told(what, digest, answer))

    def give_mean(self, arrays: Iterable[Any]) -> None:
        """Write the mean of all workers' values into each of some arrays, as :meth:`sum`."""
        if self.count > 1:
            for array in arrays:
                array[:] = self.mean(self.read(array))

    def wait_for_others(self) -> None:
        """Wait for what the others have to send for updates that are made; no time alone.

        Raises
        ------
        WorkersLostError
            Where that has not come in time.
        """
        if self.count > 1:
            self._patiently(mx.nd.waitall)

    def read(self, array: Any) -> np.ndarray:
        """Return an array's values, which the others have to send theirs for."""
        return self.read_all([array])[0]

    def read_all(self, arrays: Sequence[Any]) -> List[np.ndarray]:
        """Return the values of several arrays, as :meth:`read`."""

        def read() -> List[np.ndarray]:
            return [array.asnumpy() for array in arrays]

        waits = self.count > 1 and len(arrays) > 0
        values: List[np.ndarray] = self._patiently(read) if waits else read()
        return values

    def count_update(self) -> None:
        """Note that this worker's part of an update has been sent, and all others' is needed."""
        self._updates += 1

    def _told(self, name: str, own: bytes, answer: Callable[[List[bytes]], bytes]) -> bytes:
        if self._lost is not None:
            raise WorkersLostError(self._lost)
        assert self._exchange is not None
        try:
            return self._exchange.call(name, self._updates, own, answer)
        except WorkersLostError as lost:
            self._lose(lost)
            raise

    def _of_first_by_store(self, data: bytes) -> bytes:
        """Return the bytes that the first gave, through the KVStore: MXNet's servers add floats."""
        numbers = np.frombuffer(data.ljust(_ADDRESS), dtype=np.uint8) * (self.rank == 0)
        buffer = nd.zeros((_ADDRESS,))
        self._store.init(_KEY, buffer)
        buffer[:] = numbers
        self._store.pushpull(_KEY, buffer, out=buffer)
        return buffer.asnumpy().astype(np.uint8).tobytes().rstrip()

    def _patiently(self, action: Callable[[], Any]) -> Any:
        """Return what `action` returns, which may wait for the others, within the time."""
        if self._lost is not None:
            raise WorkersLostError(self._lost)
        outcome: Future[Any] = Future()
        self._calls.put((outcome, action))
        last = time.monotonic() + self._timeout
        while not concurrent.futures.wait([outcome], LOOK).done:
            try:
                if self._exchange is not None:
                    self._exchange.check(self._updates)
                if time.monotonic() > last:
                    who = f"worker {self.rank} of {self.count}" if self._joined else "a worker"
                    raise no_answer(who, self._timeout)
            except WorkersLostError as lost:
                self._lose(lost)
                raise
        return outcome.result()

    def _lose(self, lost: WorkersLostError) -> None:
        """Take note that the others are lost, and let them know."""
        self._lost = str(lost)
        atexit.register(_exit_at_once)
        if self._exchange is not None:
            self._exchange.close(self._lost)

    def _leave(self) -> None:
        """Wait for the others before this process ends, but not for ever, as MXNet would."""
        if hasattr(sys, "last_type"):  # an exception has ended the program
            _exit_at_once()
        try:
            self.wait_for_others()
            if self.count > 1:
                self._told("the end of the program", b"", lambda given: b"")
        except WorkersLostError as lost:
            sys.stderr.write(f"{lost}\n")
            _exit_at_once()


def _sum_of(given: List[bytes], kind: type) -> bytes:
    total: np.ndarray = np.zeros(len(given[0]) // np.dtype(kind).itemsize, dtype=kind)
    for one in given:
        total += np.frombuffer(one, dtype=kind)
    return total.tobytes()


def _answer(calls: "SimpleQueue[Tuple[Future[Any], Callable[[], Any]]]") -> None:
    """Make calls one after the other, in a thread that may be left waiting for ever."""
    while True:
        outcome, action = calls.get()
        try:
            outcome.set_result(action())
        except BaseException as error:  # noqa: BLE001 - raised where the outcome is asked for
            outcome.set_exception(error)
        del outcome, action  # MXNet aborts at the end of a process that still holds its KVStore


def _free_stores() -> None:
    """Free the KVStores, as MXNet aborts where Python ends without having done so."""
    for store in _stores:
        store.__del__()
        store.handle = None  # so that it does nothing when it is called again


def _exit_at_once() -> None:
    """End the process with status 1, without MXNet, which would wait for the lost worker."""
    outputs: List[Any] = [sys.stdout, sys.stderr]
    for output in outputs:
        output.flush()
    os._exit(1)
