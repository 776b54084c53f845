"""Ctrl-C, held back while something is done that must not be left half done."""

import contextlib
import signal
import threading
from types import FrameType, TracebackType
from typing import Iterator, Optional, Type

from .transaction import afterwards


class Hold:
    """A block that Ctrl-C ends only at its end; pressed again, it ends it at once."""

    def __init__(self) -> None:
        self._held = False
        self._pressed = False

    def __enter__(self) -> None:
        self._pressed = False
        self._held = True

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._held = False
        if self._pressed and kind is None:
            raise KeyboardInterrupt

    def press(self, number: int, frame: Optional[FrameType]) -> None:
        """Take the signal."""
        if self._pressed or not self._held:
            raise KeyboardInterrupt
        self._pressed = True


@contextlib.contextmanager
def interrupts_held_by() -> Iterator[Hold]:
    """Let a :class:`Hold` take Ctrl-C within the block, however often it is entered there.

    Outside the main thread, and where the program handles the signal itself, it holds nothing.
    """
    hold = Hold()
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield hold
        return
    with afterwards(lambda: signal.signal(signal.SIGINT, signal.default_int_handler)):
        signal.signal(signal.SIGINT, hold.press)
        yield hold
