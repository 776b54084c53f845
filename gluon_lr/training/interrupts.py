"""Ctrl-C, held back while something is done that must not be left half done."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Optional, Type


class InterruptsHeld:
    """A block that Ctrl-C ends only at its end; pressed again, it ends it at once.

    Outside the main thread, and where the program handles the signal itself, nothing is held.
    """

    def __init__(self) -> None:
        self._pressed = False
        self._before: Any = None

    def __enter__(self) -> None:
        self._pressed = False
        self._before = None
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._press)

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if self._pressed and kind is None:
            raise KeyboardInterrupt

    def _press(self, number: int, frame: Optional[FrameType]) -> None:
        if self._pressed:
            raise KeyboardInterrupt
        self._pressed = True
