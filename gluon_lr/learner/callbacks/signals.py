"""Signals that a fit records and handles between two updates."""

import os
import signal
import threading
from types import FrameType
from typing import Optional

import numpy as np

from ..._interrupts import interrupt
from ...distributed.workers import Workers
from ...state.transaction import Transaction


def check_thread(owner: str) -> None:
    """Raise a RuntimeError if this is not the main thread: only that one gets signals."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            f"{owner}: only the main thread gets signals. Run the fit in the main thread."
        )


class Hearing(Transaction):
    """A block in which a signal is only recorded.

    A second Ctrl-C acts as outside the block. Processes forked within the block, for example
    those of a DataLoader, still end at SIGTERM.

    Parameters
    ----------
    number : int
        The signal.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._own: object = None
        self._heard = False

    def take(self) -> None:
        """Store the program's own handler of the signal."""
        self._own = signal.getsignal(self._number)
        self._process = os.getpid()

    def begin(self) -> None:
        """Start to record the signal."""
        signal.signal(self._number, self._hear)

    def put_back(self) -> None:
        """Restore the program's own handler."""
        signal.signal(self._number, self._own)  # type: ignore[arg-type]

    def was_heard(self, workers: Workers) -> bool:
        """Return whether any worker got the signal; all workers have to call this."""
        if workers.count == 1:
            return self._heard
        return bool(workers.sum(np.array([float(self._heard)]))[0])

    def _hear(self, number: int, frame: Optional[FrameType]) -> None:
        again, self._heard = self._heard, True
        if again and number == signal.SIGINT:
            self.put_back()
            interrupt(number, frame)
        if os.getpid() != self._process and number == signal.SIGTERM:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
