"""The processes that train together through a trainer's distributed KVStore."""

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
_ADDRESS = 256  # bytes for the address of the first worker
_ON_TRAINER = "_gluon_lr_workers"  # attribute of a trainer that holds its Workers
_stores: List[Any] = []  # the KVStores that this process must free


class Workers:
    """The processes that train together through a trainer's KVStore; a single one without it.

    All workers must make the same calls. If one makes another call, or ends, the others raise a
    WorkersLostError at once. If one does not answer, they raise it after the seconds set by the
    environment variable GLUON_LR_TIMEOUT, 300 by default. A program that then ends with an
    exception exits at once, while MXNet alone would wait for the lost worker.

    MXNet's servers sum the gradients. The first worker sums all other numbers, and the others
    connect to it. Its address is DMLC_NODE_HOST of its machine, or else the one from which it
    reaches DMLC_PS_ROOT_URI.

    Parameters
    ----------
    trainer : mx.gluon.Trainer
        The trainer; :meth:`join` creates its KVStore.

    Raises
    ------
    ValueError
        If another library, Horovod or BytePS, sums its gradients, or GLUON_LR_TIMEOUT is not a
        number of seconds.

    Attributes
    ----------
    rank : int
        The rank of this worker, from 0; known after :meth:`join`.
    count : int
        The number of workers; known after :meth:`join`.
    """

    def __init__(self, trainer: mx.gluon.Trainer) -> None:
        _trainer.check_is_not_anothers("Learner", trainer)
        self._trainer = proxy(trainer)  # a proxy, since the trainer holds this object
        self._timeout = seconds_to_wait("Learner", os.environ)
        self._exchange: Optional[Exchange] = None
        self._updates = 0
        self._calls: SimpleQueue[Tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._lost: Optional[str] = None  # the reason
        self._joined = not self.are_apart
        self._store: Any = None
        self.rank = 0
        self.count = 1

    @classmethod
    def of(cls, trainer: mx.gluon.Trainer) -> "Workers":
        """Return the workers of a trainer, the same object each time."""
        if not hasattr(trainer, _ON_TRAINER):
            setattr(trainer, _ON_TRAINER, cls(trainer))
        workers: Workers = getattr(trainer, _ON_TRAINER)
        return workers

    @property
    def are_apart(self) -> bool:
        """Whether the trainer has a distributed KVStore, even with only one worker."""
        return _trainer.is_distributed(self._trainer)

    @property
    def is_first(self) -> bool:
        """Whether this is the first worker, which plots, writes files and shows progress."""
        self.join()
        return self.rank == 0

    def join(self) -> None:
        """Connect to the other workers, once.

        Raises
        ------
        ValueError
            If the KVStore would update the weights on its servers, or compress gradients.
        WorkersLostError
            If a worker does not connect in time.
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
            atexit.register(_free_stores)  # registered first, so it runs last
        _stores.append(self._store)
        atexit.register(self._leave)

    def take_first_weights(self) -> None:
        """Copy the first worker's weights to all workers, once, if their shapes are known.

        Raises
        ------
        WorkersLostError
            If another worker does not call this in time.
        """
        if self.are_apart:
            self._patiently(lambda: _trainer.prepare(self._trainer))

    def sum(self, values: np.ndarray, what: str = "a sum") -> np.ndarray:
        """Wait for all workers, and return the sum of their arrays.

        Parameters
        ----------
        values : np.ndarray
            An array of the same shape on all workers. The sum is computed in float32 for float32
            arrays, otherwise in float64.
        what : str
            The name of the sum, in at most 48 characters of ASCII, the same on all workers.

        Raises
        ------
        WorkersLostError
            If another worker calls something else, has ended, or does not call this in time.
        """
        if self.count == 1:
            return values
        kind = np.float32 if values.dtype == np.float32 else np.float64
        own = np.ascontiguousarray(values, dtype=kind)
        total = self._told(what, own.tobytes(), partial(_sum_of, kind=kind))
        return np.frombuffer(bytearray(total), dtype=kind).reshape(np.shape(values))

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of all workers' arrays, like :meth:`sum`."""
        return self.sum(values) / self.count

    def means(self, values: Dict[str, float]) -> Dict[str, float]:
        """Return the mean of all workers' values by name, like :meth:`sum`."""
        each = self.mean(np.array(list(values.values())))
        return dict(zip(values, each.tolist()))

    def of_first(self, data: Any) -> Any:
        """Return the first worker's data on all workers; it must be JSON-serializable."""
        if self.count == 1:
            return data
        text = json.dumps(data).encode()
        return json.loads(self._told("data of the first worker", b"", lambda given: text))

    def of_first_if_unlike(
        self, what: str, digest: bytes, data: Callable[[], Any]
    ) -> Optional[Any]:
        """Return the first worker's data on all workers; None if all have the same.

        Parameters
        ----------
        what : str
            The name of the data, as in :meth:`sum`.
        digest : bytes
            A digest of this worker's data.
        data : callable
            Returns the data. They must be JSON-serializable, and not None.
        """
        if self.count == 1:
            return None

        def answer(digests: List[bytes]) -> bytes:
            return json.dumps(data() if len(set(digests)) > 1 else None).encode()

        return json.loads(self._told(what, digest, answer))

    def give_mean(self, arrays: Iterable[Any]) -> None:
        """Write the mean of all workers' values into each of some arrays, like :meth:`sum`."""
        if self.count > 1:
            for array in arrays:
                array[:] = self.mean(self.read(array))

    def wait_for_others(self) -> None:
        """Wait for the other workers' part of all updates so far; a single worker does not wait.

        Raises
        ------
        WorkersLostError
            If that does not arrive in time.
        """
        if self.count > 1:
            self._patiently(mx.nd.waitall)

    def read(self, array: Any) -> np.ndarray:
        """Return the values of an array; they may depend on data that the others must send."""
        return self.read_all([array])[0]

    def read_all(self, arrays: Sequence[Any]) -> List[np.ndarray]:
        """Return the values of several arrays, like :meth:`read`."""

        def read() -> List[np.ndarray]:
            return [array.asnumpy() for array in arrays]

        waits = self.count > 1 and len(arrays) > 0
        values: List[np.ndarray] = self._patiently(read) if waits else read()
        return values

    def count_update(self) -> None:
        """Count an update: this worker has sent its part, and needs the parts of all others."""
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
        """Return the first worker's bytes, sent as floats that MXNet's servers sum."""
        numbers = np.frombuffer(data.ljust(_ADDRESS), dtype=np.uint8) * (self.rank == 0)
        buffer = nd.zeros((_ADDRESS,))
        self._store.init(_KEY, buffer)
        buffer[:] = numbers
        self._store.pushpull(_KEY, buffer, out=buffer)
        return buffer.asnumpy().astype(np.uint8).tobytes().rstrip()

    def _patiently(self, action: Callable[[], Any]) -> Any:
        """Return what `action` returns, within the timeout; it may wait for other workers."""
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
        """Remember that other workers are lost, and close the connections to tell the rest."""
        self._lost = str(lost)
        atexit.register(_exit_at_once)
        if self._exchange is not None:
            self._exchange.close(self._lost)

    def _leave(self) -> None:
        """Wait for the others before this process ends, with a timeout, which MXNet lacks."""
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
    """Make calls one after the other, in a thread that may wait for ever and be abandoned."""
    while True:
        outcome, action = calls.get()
        try:
            outcome.set_result(action())
        except BaseException as error:  # noqa: BLE001 - raised where the outcome is asked for
            outcome.set_exception(error)
        del outcome, action  # if they still held a KVStore, MXNet would abort at exit


def _free_stores() -> None:
    """Free the KVStores, because MXNet aborts if Python exits before that."""
    for store in _stores:
        store.__del__()
        store.handle = None  # so that a second __del__ does nothing


def _exit_at_once() -> None:
    """Exit with status 1 and skip MXNet's cleanup, which would wait for the lost worker."""
    outputs: List[Any] = [sys.stdout, sys.stderr]
    for output in outputs:
        output.flush()
    os._exit(1)
