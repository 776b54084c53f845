"""A block after which something is put back, whatever happens in it."""

import contextlib
import sys
from types import FrameType, TracebackType
from typing import Any, Callable, ContextManager, Optional, Type, TypeVar

from .._interrupts import can_listen, listen, raise_held, stop_listening, to_its_end

Self = TypeVar("Self", bound="Transaction")


class Transaction:
    """A block that begins with :meth:`take` and :meth:`begin`, and ends with :meth:`put_back`.

    Also after an exception or Ctrl-C, which waits until all has begun, or is put back. An
    exception may come between the block's end and ``__exit__``, from a debugger or from a
    signal handler of the program's own. So what must hold then too is entered twice:
    ``with one as again, again:``.
    """

    _listens = False
    _taken = False

    def take(self) -> None:
        """Take note of what is to be put back, and change nothing."""

    def begin(self) -> None:
        """Make the changes that the block begins with."""

    def put_back(self) -> None:
        """Put all back. Where an exception comes into it, it is called again."""
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
        """Put all back, in spite of an exception that comes into it, and let go of Ctrl-C."""
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
    """Several in one: they begin in their order, and are put back in the reverse one."""

    def __init__(self, *parts: Transaction) -> None:
        self._parts = parts

    def take(self) -> None:
        """Take note in each."""
        for part in self._parts:
            part.take()

    def begin(self) -> None:
        """Begin each."""
        for part in self._parts:
            part.begin()

    def put_back(self) -> None:
        """Put back each, the last first."""
        for part in reversed(self._parts):
            part.put_back()


class Kept(Transaction):
    """Attributes of an object, which are the same objects after the block as before it."""

    def __init__(self, owner: Any, *names: str) -> None:
        self._owner = owner
        self._names = names

    def take(self) -> None:
        """Take note of the attributes."""
        self._values = {name: getattr(self._owner, name) for name in self._names}

    def put_back(self) -> None:
        """Assign them again."""
        for name, value in self._values.items():
            setattr(self._owner, name, value)


def afterwards(put_back: Callable[[], object]) -> Transaction:
    """Return a block after which `put_back` is called, whatever happens in it."""
    return _Afterwards(put_back)


def at_first(begin: Callable[[], object]) -> Transaction:
    """Return a block that begins with `begin`, and leaves it to others to put back."""
    return _AtFirst(begin)


def backstop(block: ContextManager[Any]) -> ContextManager[Any]:
    """Return what to enter after `block`, so that it is put back in any case: itself, if it can."""
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
        """Leave that to the blocks around it."""
