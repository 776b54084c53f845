"""The processes that train together, through a trainer's distributed KVStore."""

import atexit
import json
import os
import sys
import threading
from concurrent.futures import Future, TimeoutError
from queue import SimpleQueue
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Tuple
from weakref import proxy

import numpy as np

from .. import _check, _trainer
from .._mxnet import mx, nd

TIMEOUT = "GLUON_LR_TIMEOUT"  # the variable with the seconds to wait for the others
_FIRST_KEY = 200_000  # in the KVStore, above all parameters' numbers; MXNet multiplies it by 9973
_PIECE = 4096  # numbers that are sent at once
_LOSS, _LEAVING = 0, _PIECE + 1  # what has a buffer of its own, beside sums by their sizes
_ON_TRAINER = "_gluon_lr_workers"  # where a trainer has its own
_stores: List[Any] = []  # the KVStores that this process has to free


class WorkersLostError(RuntimeError):
    """Another worker has not answered in time: it has died, or never came."""


class Workers:
    """The processes that train together through a trainer's KVStore; one, without such a KVStore.

    All of them have to make the same calls. Where one does not answer within the seconds that
    the variable GLUON_LR_TIMEOUT holds, 300 by default, the others raise a WorkersLostError. A
    program that ends with an exception then ends at once, which MXNet would not let it.

    Parameters
    ----------
    trainer : mx.gluon.Trainer
        Its KVStore is made by :meth:`join`.

    Attributes
    ----------
    rank : int
        Which one this is, from 0; known after :meth:`join`.
    count : int
        How many there are; known after :meth:`join`.
    """

    def __init__(self, trainer: mx.gluon.Trainer) -> None:
        self._trainer = proxy(trainer)  # which holds this in turn
        self._timeout = seconds_to_wait("Learner", os.environ)
        self._buffers: Dict[int, Any] = {}
        self._calls: SimpleQueue[Tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._lost = False
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

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of all workers' arrays, of one shape, in float32; waits for them.

        MXNet's servers add up in float32, whatever they are sent.

        Raises
        ------
        WorkersLostError
            Where one has not called it in time.
        """
        if self.count == 1:
            return values
        flat = np.ravel(values)
        pieces = [flat[start : start + _PIECE] for start in range(0, flat.size, _PIECE)]
        sums = [
            self.read(self._pushed(piece.size, nd.array(piece, dtype="float32")))
            for piece in pieces
        ]
        return np.concatenate(sums).reshape(np.shape(values))

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of all workers' arrays, as :meth:`sum`."""
        return self.sum(values) / self.count

    def means(self, values: Dict[str, float]) -> Dict[str, float]:
        """Return the mean of all workers' values, by name, as :meth:`sum`."""
        each = self.mean(np.array(list(values.values())))
        return dict(zip(values, each.tolist()))

    def mean_loss(self, losses: Sequence[Any], count: float) -> Any:
        """Return an array that will hold the mean of all workers' losses; does not wait.

        Parameters
        ----------
        losses : sequence of arrays
            This worker's, on each context; empty where it has none.
        count : float
            The losses of all workers, or the sum of the weights that they were multiplied with.
        """
        total = 0
        for loss in losses:
            part = loss.astype("float32").sum() / count
            total = part.reshape((1,)).as_in_context(mx.cpu()) + total
        return self._pushed(_LOSS, total if losses else nd.zeros((1,))).copy()

    def of_first(self, data: Any) -> Any:
        """Return what the first worker gave, which `json` can write, on all of them."""
        if self.count == 1:
            return data
        text = json.dumps(data).encode() if self.is_first else b""
        length = int(self.sum(np.array([len(text)]))[0])
        numbers = np.frombuffer(text.ljust(length, b"\0"), dtype=np.uint8)
        return json.loads(self.sum(numbers).astype(np.uint8).tobytes())

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
        values: np.ndarray = self._patiently(array.asnumpy) if self.count > 1 else array.asnumpy()
        return values

    def _pushed(self, purpose: int, values: Any) -> Any:
        """Have MXNet add up `values` in the buffer for that purpose, and return the buffer.

        Going through one buffer keeps what is sent under one key in order.
        """
        store, key = self._store, _FIRST_KEY + purpose
        if purpose not in self._buffers:
            self._buffers[purpose] = nd.zeros(values.shape)
            self._patiently(lambda: store.init(key, self._buffers[purpose]))
        buffer = self._buffers[purpose]
        buffer[:] = values
        store.pushpull(key, buffer, out=buffer)
        return buffer

    def _patiently(self, action: Callable[[], Any]) -> Any:
        """Return what `action` returns, which may wait for the others, within the time."""
        outcome: Future[Any] = Future()
        self._calls.put((outcome, action))
        try:
            return outcome.result(0 if self._lost else self._timeout)
        except TimeoutError:
            pass
        if not self._lost:
            atexit.register(_exit_at_once)
        self._lost = True
        who = f"worker {self.rank} of {self.count}" if self._joined else "a worker"
        raise WorkersLostError(
            f"Learner: all workers of the KVStore must answer within {self._timeout:g} s "
            f"({TIMEOUT}), and to {who} they did not. One has died, made other calls than this "
            "one, or never came: compare DMLC_NUM_WORKER with what was started."
        )

    def _leave(self) -> None:
        """Wait for the others before this process ends, but not for ever, as MXNet would."""
        if hasattr(sys, "last_type"):  # an exception has ended the program
            _exit_at_once()
        try:
            self.read(self._pushed(_LEAVING, nd.zeros((1,))))
        except WorkersLostError as lost:
            sys.stderr.write(f"{lost}\n")
            _exit_at_once()


def seconds_to_wait(owner: str, variables: Mapping[str, str]) -> float:
    """Read from environment variables how long workers wait for one another, in seconds.

    Raises
    ------
    ValueError
        Where GLUON_LR_TIMEOUT is no number above 0, or longer than Python can wait.
    """
    text = variables.get(TIMEOUT, "300")
    try:
        return _check.real(owner, TIMEOUT, float(text), above=0, maximum=threading.TIMEOUT_MAX)
    except ValueError:
        constraint = f"a number of seconds above 0, at most {threading.TIMEOUT_MAX:g}"
        raise ValueError(_check.message(owner, TIMEOUT, constraint, text)) from None


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
