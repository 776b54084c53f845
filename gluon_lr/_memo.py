"""A cache that does not keep its keys alive."""

import functools
import weakref
from typing import Any, Callable, MutableMapping, TypeVar

Value = TypeVar("Value")


def remembered(function: Callable[[Any], Value]) -> Callable[[Any], Value]:
    """Cache what `function` returns for a class or a function, as long as that object exists.

    `functools.lru_cache` would keep the object alive. A user's class keeps all globals of its
    module alive, for example a KVStore. At exit, the KVStore's threads would then crash.
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
