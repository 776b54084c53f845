"""Blocks after which something is restored, whatever happens in them."""

import contextlib
import sys
from types import FrameType, TracebackType
from typing import Any, Callable, ContextManager, Optional, Type, TypeVar

from .._interrupts import can_listen, listen, raise_held, stop_listening, to_its_end

Self = TypeVar("Self", bound="Transaction")


class Transaction:
    """A block that begins with :meth:`take` and :meth:`begin`, and ends with :meth:`put_back`.

    It also ends so after an exception or Ctrl-C. Ctrl-C waits until the begin or the end is
    complete. A debugger, or the program's own signal handler, may raise an exception between the
    block's end and ``__exit__``. A block that must be safe then too is entered twice:
    ``with one as again, again:``.
    """

    _listens = False
    _taken = False

    def take(self) -> None:
        """Store what :meth:`put_back` will restore; change nothing."""

    def begin(self) -> None:
        """Make the changes at the start of the block."""

    def put_back(self) -> None:
        """Restore everything. If Ctrl-C interrupts it, it is called again."""
        raise NotImplementedError(f"{type(self).__name__} must define put_back()")

    @to_its_end
    def __enter__(self: Self) -> Self:
        try:
            if not self._taken:
                self._listens = can_listen()
                if self._listens:
                    listen()
                self.take()
                self._taken = True
                self.begin()
            raise_held(sys._getframe(1))
            return self
        except BaseException:
            self._end_surely(sys._getframe(1))
            raise

    @to_its_end
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._end_surely(sys._getframe(1))

    def _end_surely(self, frame: FrameType) -> None:
        """Restore everything, even if Ctrl-C interrupts it, and raise a delayed Ctrl-C."""
        try:
            self._end()
        except KeyboardInterrupt:
            self._end()
            raise
        finally:
            raise_held(frame)

    def _end(self) -> None:
        try:
            if self._taken:
                self.put_back()
                self._taken = False
        finally:
            if self._listens:
                stop_listening()
                self._listens = False


class Together(Transaction):
    """Several transactions as one: they begin in order, and end in reverse order."""

    def __init__(self, *parts: Transaction) -> None:
        self._parts = parts

    def take(self) -> None:
        """Call :meth:`take` of each."""
        for part in self._parts:
            part.take()

    def begin(self) -> None:
        """Call :meth:`begin` of each."""
        for part in self._parts:
            part.begin()

    def put_back(self) -> None:
        """Call :meth:`put_back` of each, the last first."""
        for part in reversed(self._parts):
            part.put_back()


class Kept(Transaction):
    """A block that restores attributes of an object to the same values."""

    def __init__(self, owner: Any, *names: str) -> None:
        self._owner = owner
        self._names = names

    def take(self) -> None:
        """Store the attributes."""
        self._values = {name: getattr(self._owner, name) for name in self._names}

    def put_back(self) -> None:
        """Assign the stored attributes again."""
        for name, value in self._values.items():
            setattr(self._owner, name, value)


def afterwards(put_back: Callable[[], object]) -> Transaction:
    """Return a block after which `put_back` is called, whatever happens in it."""
    return _Afterwards(put_back)


def at_first(begin: Callable[[], object]) -> Transaction:
    """Return a block that calls `begin` at its start, and restores nothing."""
    return _AtFirst(begin)


def backstop(block: ContextManager[Any]) -> ContextManager[Any]:
    """Return the block to enter after `block`, so that it surely ends: itself if a Transaction."""
    return block if isinstance(block, Transaction) else contextlib.nullcontext()


class _Afterwards(Transaction):
    def __init__(self, put_back: Callable[[], object]) -> None:
        self._put_back = put_back

    def put_back(self) -> None:
        self._put_back()


class _AtFirst(Transaction):
    def __init__(self, begin: Callable[[], object]) -> None:
        self._begin = begin

    def begin(self) -> None:
        self._begin()

    def put_back(self) -> None:
        """Restore nothing: the blocks around this one do it."""
