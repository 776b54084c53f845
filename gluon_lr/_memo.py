"""Memories that keep nothing alive."""

import functools
import weakref
from typing import Any, Callable, MutableMapping, TypeVar

Value = TypeVar("Value")


def remembered(function: Callable[[Any], Value]) -> Callable[[Any], Value]:
    """Remember what `function` returns for a class or a function, as long as that lives.

    `functools.lru_cache` would keep it alive. With a user's class live all globals of its module,
    at the end of the process a KVStore among them, whose threads then end the process as a crash.
    """
    known: MutableMapping[Any, Value] = weakref.WeakKeyDictionary()

    @functools.wraps(function)
    def recall(key: Any) -> Value:
        try:
            return known[key]
        except KeyError:
            value = known[key] = function(key)
            return value

    return recall
