"""Ctrl-C, held back while something is done that must not be left half done."""

import functools
import signal
import sys
import threading
from types import CodeType, FrameType
from typing import Any, Callable, Optional, Set, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

_TO_ITS_END: Set[CodeType] = set()  # what Ctrl-C waits for, however often it is pressed


def can_listen() -> bool:
    """Return whether Ctrl-C comes to this thread, and the program leaves it to Python."""
    if _ear.listens or not _in_main_thread():
        return False
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def listen() -> None:
    """From now on hold Ctrl-C in what is :func:`to_its_end` or :func:`uninterrupted`."""
    signal.signal(signal.SIGINT, _ear.hear)
    _ear.listens = True


def stop_listening() -> None:
    """Leave Ctrl-C to Python again."""
    _ear.listens = False
    signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupt(number: int, frame: Optional[FrameType]) -> None:
    """Do what Ctrl-C does that comes in `frame`: interrupt it, or what is not to be held."""
    _ear.hear(number, frame)


def raise_held(frame: Optional[FrameType]) -> None:
    """Raise a KeyboardInterrupt where Ctrl-C was held, and `frame` and its callers do not."""
    pressed = _ear.pressed and _in_main_thread()
    if pressed and not _codes_of(frame) & {*_TO_ITS_END, _UNINTERRUPTED}:
        _ear.pressed = False
        raise KeyboardInterrupt


def to_its_end(function: Function) -> Function:
    """Have Ctrl-C wait for the end of `function`, from its first instruction on.

    It waits where somebody listens. The function itself has to call :func:`raise_held`.
    """
    _TO_ITS_END.add(function.__code__)
    return function


def uninterrupted(function: Function) -> Function:
    """Have Ctrl-C wait for the end of `function`; pressed again, it ends it at once."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with _Hearing():
            return function(*args, **kwargs)

    return cast(Function, run)


class _Hearing:
    """A block in which somebody listens."""

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
    """Hears Ctrl-C, and remembers it while it is held."""

    listens = False
    pressed = False

    def hear(self, number: int, frame: Optional[FrameType]) -> None:
        """Handle the signal, which came in `frame`: hold it, or raise a KeyboardInterrupt."""
        codes = _codes_of(frame)
        again, self.pressed = self.pressed, True
        if codes & _TO_ITS_END or _are_of_a_deletion(codes):
            return
        if _UNINTERRUPTED not in codes:
            self.pressed = False
        elif not again:
            return
        raise KeyboardInterrupt  # and once more at the end: a callback from C would drop this one


def _are_of_a_deletion(codes: Set[CodeType]) -> bool:
    """Return whether Python would drop what is raised."""
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
