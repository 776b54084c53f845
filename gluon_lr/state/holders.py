"""Holders of values by name or number: an object's attributes, a closure, a list."""

from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from itertools import islice
from operator import is_
from typing import Any, Callable, Collection, Dict, Iterable, Iterator, List, Optional, Tuple

import numpy as np

from . import plain

CONTAINERS = (*plain.MUTABLE, bytearray, np.ndarray)
_FEW = 1_000  # items of a container that are read
_LONG = 1_000  # characters of the longest path
_ABSENT = object()


class Holder(ABC):
    """An object that holds values by keys.

    Parameters
    ----------
    path : str or None
        Its path from the root; None if another process would not find it.
    """

    def __init__(self, path: Optional[str]) -> None:
        self.path = path

    @abstractmethod
    def read(self) -> Dict[Any, Any]:
        """Return the current values by their keys."""

    def path_of(self, key: Any) -> Optional[str]:
        """Return the path from the root to the value of a key, or None."""
        if self.path is None or len(self.path) > _LONG:
            return None
        return self.path + self._suffix(key)

    def remembers(self, value: Any) -> bool:
        """Return whether a value of this holder is plain or an array, and can be restored."""
        return plain.is_array(value) or plain.containers_in(value) is not None

    def _suffix(self, key: Any) -> str:
        return f".{key}"


class Fixed(Holder):
    """Values that cannot be replaced: the parts of a tuple or a bound method. Keys are suffixes.

    Mutable values among them can be refilled.
    """

    def __init__(self, path: Optional[str], values: Dict[str, Any]) -> None:
        super().__init__(path)
        self._values = values

    @classmethod
    def of_items(cls, path: Optional[str], items: Collection[Any]) -> "Fixed":
        """Return a holder of the items of a tuple, or of a set, whose items have no path."""
        ordered = isinstance(items, tuple) and len(items) <= _FEW
        parts = {f"[{i}]": item for i, item in enumerate(islice(items, _FEW))}
        return cls(path if ordered else None, parts)

    def read(self) -> Dict[Any, Any]:
        """Return the values by their suffixes."""
        return self._values

    def remembers(self, value: Any) -> bool:
        """Return whether a value is plain and mutable, or an array."""
        return super().remembers(value) and type(value) in (*plain.MUTABLE, np.ndarray)

    def _suffix(self, key: Any) -> str:
        return str(key)


class Items(Holder):
    """The items of a list, deque or dict; of a long one only the first items, without paths."""

    def __init__(self, path: Optional[str], container: Any) -> None:
        super().__init__(path if len(container) <= _FEW else None)
        self._container = container

    def read(self) -> Dict[Any, Any]:
        """Return the items by their keys or numbers."""
        named = isinstance(self._container, dict)
        items = self._container.items() if named else enumerate(self._container)
        return dict(islice(items, _FEW))

    def bind(self, key: Any, value: Any) -> None:
        """Replace an item."""
        self._container[key] = value

    def path_of(self, key: Any) -> Optional[str]:
        """Return the path to an item, or None if its key is an object."""
        return super().path_of(key) if type(key) in plain.ATOMS else None

    def _suffix(self, key: Any) -> str:
        return f"[{key!r}]"


class Names(Holder):
    """The names in a `__dict__`.

    Parameters
    ----------
    path : str or None
        As in :class:`Holder`.
    namespace : dict
        The `__dict__`.
    names : collection of str, optional
        Only these names.
    without : collection of str
        All names except these.
    form : str
        The format of a name in the path.
    """

    def __init__(
        self,
        path: Optional[str],
        namespace: Dict[str, Any],
        names: Optional[Collection[str]] = None,
        without: Collection[str] = (),
        form: str = ".{}",
    ) -> None:
        super().__init__(path)
        self._namespace = namespace
        self._names = names
        self._without = without
        self._form = form

    def read(self) -> Dict[Any, Any]:
        """Return the values by their names."""
        if self._names is None:
            return dict(self._own(list(self._namespace.items())))
        return {k: self._namespace[k] for k in self._names if k in self._namespace}

    def bind(self, key: Any, value: Any) -> None:
        """Bind a name to a value."""
        self._namespace[key] = value

    def takes(self, name: str) -> bool:
        """Return whether a new name can be bound to a value."""
        free = self._names is None and name not in self._without and name not in self._namespace
        return free and name.isidentifier() and not name.startswith("__")

    def unbind(self, key: Any) -> None:
        """Remove a name."""
        del self._namespace[key]

    def keep(self) -> Callable[[], None]:
        """Store the values; return a function that binds the names to the same objects again."""
        saved = self.read()

        def put_back() -> None:
            present = self.read()
            for key in present.keys() - saved.keys():
                self.unbind(key)
            for key, value in saved.items():
                if present.get(key, _ABSENT) is not value:
                    self.bind(key, value)

        return put_back

    def _own(self, attributes: Iterable[Tuple[str, Any]]) -> Iterator[Tuple[str, Any]]:
        """Yield the attributes without Python's own, for example `__module__` and `__doc__`."""
        for name, value in attributes:
            if name not in self._without and (not name.startswith("__") or callable(value)):
                yield name, value

    def _suffix(self, key: Any) -> str:
        return self._form.format(key)


class ClassNames(Names):
    """The attributes of a class."""

    def __init__(self, path: Optional[str], owner: type) -> None:
        super().__init__(path, {})
        self._owner = owner

    def read(self) -> Dict[Any, Any]:
        """Return the values by their names."""
        return dict(self._own(list(vars(self._owner).items())))

    def bind(self, key: Any, value: Any) -> None:
        """Give an attribute another value."""
        type.__setattr__(self._owner, key, value)

    def unbind(self, key: Any) -> None:
        """Remove an attribute."""
        type.__delattr__(self._owner, key)


class Slots(Names):
    """Attributes outside of a `__dict__`: in `__slots__` or in a closure's cells.

    Parameters
    ----------
    path : str or None
        As in :class:`Holder`.
    slots : dict of str to (object, str)
        The object and the attribute's name, by the suffix of the path.
    """

    def __init__(self, path: Optional[str], slots: Dict[str, Tuple[Any, str]]) -> None:
        super().__init__(path, slots, form="{}")

    def read(self) -> Dict[Any, Any]:
        """Return the existing values by their suffixes."""
        present = {}
        for key, (owner, name) in self._namespace.items():
            with suppress(AttributeError, ValueError):  # an empty slot, an empty cell
                present[key] = object.__getattribute__(owner, name)
        return present

    def bind(self, key: Any, value: Any) -> None:
        """Give an attribute another value."""
        object.__setattr__(self._namespace[key][0], self._namespace[key][1], value)

    def unbind(self, key: Any) -> None:
        """Empty a slot."""
        object.__delattr__(self._namespace[key][0], self._namespace[key][1])


def content_kept(container: Any) -> Callable[[], None]:
    """Store the items of a container; return a function that puts the same objects back.

    Parameters
    ----------
    container : list, dict, set, deque, bytearray or numpy.ndarray
        A container that is too large or read-only is not changed.
    """
    if isinstance(container, np.ndarray):
        if not plain.is_array(container) or not container.flags.writeable:
            return lambda: None
        return _array_kept(container)
    if len(container) > plain.LARGEST:
        return lambda: None
    if isinstance(container, dict):
        return _dict_kept(container)
    if isinstance(container, (list, bytearray)):
        items = list(container)
        return lambda: container.__setitem__(slice(None), items)
    return _refilled(container)


def _array_kept(array: np.ndarray) -> Callable[[], None]:
    saved = array.copy()

    def put_back() -> None:
        if array.shape != saved.shape:
            array.resize(saved.shape, refcheck=False)
        array[...] = saved

    return put_back


def _dict_kept(container: Dict[Any, Any]) -> Callable[[], None]:
    saved = dict(container)

    def put_back() -> None:
        for key in container.keys() - saved.keys():
            del container[key]
        for key, value in saved.items():
            if container.get(key, _ABSENT) is not value:
                container[key] = value
        if list(container) != list(saved):
            container.clear()
            container.update(saved)

    return put_back


def _refilled(container: Any) -> Callable[[], None]:
    items: List[Any] = list(container)

    def put_back() -> None:
        if len(container) == len(items) and all(map(is_, container, items)):
            return
        container.clear()
        (container.extend if isinstance(container, deque) else container.update)(items)

    return put_back
