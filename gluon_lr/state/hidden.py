"""The hidden state that a net or its loss carries from batch to batch."""

from typing import Any

from . import schema
from .memory import Memory
from .transaction import Transaction

_ARRAY = schema.Record(array=schema.ARRAY, kind=schema.TEXT, context=schema.TEXT)
_MANY = schema.Record(kind=schema.TEXT, items=schema.ANYTHING)
_KINDS = {"list": list, "tuple": tuple}


class HiddenKept(Transaction):
    """A block after which the hidden state is as before it.

    All that can be reached from an object and remembers is put back, and the numbers in MXNet's
    arrays too.

    Parameters
    ----------
    root : object
        A net and what computes its loss, for instance.
    """

    def __init__(self, root: Any) -> None:
        self._root = root

    def take(self) -> None:
        """Take note of it."""
        memory = Memory(self._root)
        self._arrays = [(array, array.copy()) for array in memory.mxnet_arrays()]
        self._put_back_memory = memory.keep()

    def put_back(self) -> None:
        """Put it back."""
        self._put_back_memory()
        for array, saved in self._arrays:
            saved.copyto(array)
