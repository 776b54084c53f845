"""Ctrl-C handling: delay it while a block of work must not be interrupted."""

import functools
import signal
import sys
import threading
from types import CodeType, FrameType
from typing import Any, Callable, Optional, Set, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

_TO_ITS_END: Set[CodeType] = set()  # Ctrl-C always waits for these, even if pressed twice


def can_listen() -> bool:
    """Return whether this thread gets Ctrl-C, with Python's default handler for it."""
    if _ear.listens or not _in_main_thread():
        return False
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def listen() -> None:
    """Delay Ctrl-C from now on in functions with :func:`to_its_end` or :func:`uninterrupted`."""
    signal.signal(signal.SIGINT, _ear.hear)
    _ear.listens = True


def stop_listening() -> None:
    """Restore Python's default handler of Ctrl-C."""
    _ear.listens = False
    signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupt(number: int, frame: Optional[FrameType]) -> None:
    """Act as if Ctrl-C came in `frame`: interrupt it, or delay the interrupt if `frame` must."""
    _ear.hear(number, frame)


def raise_held(frame: Optional[FrameType]) -> None:
    """Raise a KeyboardInterrupt if Ctrl-C was delayed, unless `frame` or a caller delays it too."""
    pressed = _ear.pressed and _in_main_thread()
    if pressed and not _codes_of(frame) & {*_TO_ITS_END, _UNINTERRUPTED}:
        _ear.pressed = False
        raise KeyboardInterrupt


def to_its_end(function: Function) -> Function:
    """Make Ctrl-C wait for the end of `function`, from its first instruction on.

    This works only after :func:`listen`. The function itself must call :func:`raise_held`.
    """
    _TO_ITS_END.add(function.__code__)
    return function


def uninterrupted(function: Function) -> Function:
    """Make Ctrl-C wait for the end of `function`; a second Ctrl-C interrupts it at once."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with _Hearing():
            return function(*args, **kwargs)

    return cast(Function, run)


class _Hearing:
    """A block in which Ctrl-C is handled here."""

    @to_its_end
    def __enter__(self) -> None:
        self._listens = can_listen()
        if self._listens:
            listen()

    @to_its_end
    def __exit__(self, *error: Any) -> None:
        if self._listens:
            stop_listening()
        raise_held(sys._getframe(2))


class _Ear:
    """The handler of Ctrl-C, which remembers a delayed one."""

    listens = False
    pressed = False

    def hear(self, number: int, frame: Optional[FrameType]) -> None:
        """Handle the signal, which came in `frame`: delay it, or raise a KeyboardInterrupt."""
        codes = _codes_of(frame)
        again, self.pressed = self.pressed, True
        if codes & _TO_ITS_END or _are_of_a_deletion(codes):
            return
        if _UNINTERRUPTED not in codes:
            self.pressed = False
        elif not again:
            return
        raise KeyboardInterrupt  # if pressed twice, raise_held repeats it: C may drop this one


def _are_of_a_deletion(codes: Set[CodeType]) -> bool:
    """Return whether Python would ignore an exception here: in a `__del__` method."""
    return any(code.co_name == "__del__" for code in codes)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _codes_of(frame: Optional[FrameType]) -> Set[CodeType]:
    codes = set()
    while frame is not None:
        codes.add(frame.f_code)
        frame = frame.f_back
    return codes


_ear = _Ear()
_UNINTERRUPTED = uninterrupted(_codes_of).__code__
