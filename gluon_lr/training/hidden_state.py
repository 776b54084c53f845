"""The hidden state that a net, or its loss function, carries from batch to batch.

It consists of MXNet arrays, alone or in lists, tuples, dicts and deques, and of random generators.
Plain values are not restored: a list in which a loss function records something keeps its items.
"""

from collections import deque
from functools import partial
from typing import Any, Collection, Dict, Iterable, Iterator, List, NamedTuple, Sequence

import numpy as np

from .._mxnet import Context, mx
from ..state import plain, schema
from ..state.generators import put_state, state_of
from ..state.holders import Items, Names, content_kept
from ..state.memory import Memory
from ..state.transaction import Transaction
from ..state.walk import Walk

_ANYTHING = schema.ByName(schema.ANYTHING)
_STATE = schema.Record(generators=_ANYTHING, arrays=_ANYTHING)
_MANY = 1000  # a list with more items is taken as data


class HiddenKept(Transaction):
    """A block after which the hidden state is restored.

    Names get their arrays back, and the arrays their values. Arrays of more than a million
    elements are not restored.

    Parameters
    ----------
    root : object
        For example nets and their loss functions.
    """

    def __init__(self, root: Any) -> None:
        self._root = root

    def take(self) -> None:
        """Copy the hidden state."""
        walk = Walk(self._root)
        arrays = [array for array in walk.arrays if array.size <= plain.LARGEST]
        self._arrays = [(array, array.copy()) for array in arrays]
        self._names = [(one, one.read()) for one in walk.holders if isinstance(one, Names)]
        values = [value for one in walk.holders for value in one.read().values()]
        self._contents = [
            (one, _holds_arrays(one), content_kept(one)) for one in values if _can_be_filled(one)
        ]
        generators = [one for _, one in walk.generators]
        self._generators = [partial(put_state, one, state_of(one)) for one in generators]

    def put_back(self) -> None:
        """Restore the hidden state."""
        for holder, saved in self._names:
            present = holder.read()
            for key in present.keys() | saved.keys():
                values = [one[key] for one in (present, saved) if key in one]
                if values[0] is values[-1] and len(values) == 2:
                    continue
                if any(map(_holds_arrays, values)):
                    _rename(holder, key, saved)
        for container, held_arrays, put_back in self._contents:
            if held_arrays or _holds_arrays(container):
                put_back()
        for array, numbers in self._arrays:
            numbers.copyto(array)
        for put_back in self._generators:
            put_back()


class Saved(NamedTuple):
    """A hidden state as data.

    Attributes
    ----------
    generators : dict
        The states of the random generators, by their paths.
    arrays : dict
        The arrays that have changed, and lists, tuples and dicts of them, by their paths.
    """

    generators: Dict[str, Any]
    arrays: Dict[str, Any]

    def as_data(self) -> Dict[str, Any]:
        """Return it as data for JSON, and arrays."""
        return self._asdict()

    @classmethod
    def from_data(cls, data: Any, place: str) -> "Saved":
        """Return what :meth:`as_data` wrote, or raise a ValueError that names the place."""
        _STATE.check(data, place)
        for path, one in data["arrays"].items():
            _check(one, f"{place}.arrays[{path!r}]")
        return cls(**data)


class HiddenState:
    """The hidden state reachable from an object, and its initial values in this script.

    Parameters
    ----------
    root : object
        The object as the script has created it.
    contexts : list of mx.Context
        An array saved on a context that is not one of these is restored on the first.
    """

    def __init__(self, root: Any, contexts: Sequence[mx.Context]) -> None:
        self._root = root
        self._contexts = contexts
        self._plain = Memory(root).values()  # initial plain values at places where arrays may come
        self._stated = {path: _encode(place.value) for path, place in _places_in(root).items()}

    def now(self) -> Saved:
        """Return the current hidden state."""
        present = _places_in(self._root, self._stated)
        arrays = {path: _encode(place.value) for path, place in present.items()}
        moved = {
            path: data for path, data in arrays.items() if not _same(data, self._stated.get(path))
        }
        return Saved(Memory(self._root).generators(), moved)

    def put_back(self, saved: Saved) -> None:
        """Restore the saved state; arrays not in it get their initial values in this script."""
        targets = {**self._stated, **saved.arrays}
        for path, place in _places_in(self._root, targets).items():
            if path in targets:
                if not _same(targets[path], _encode(place.value)):
                    _put(place, _decode(targets[path], self._contexts))
            elif path in self._plain:
                _put(place, plain.decode(self._plain[path]))
        Memory(self._root).put_generators(saved.generators)

    def check(self, saved: Saved) -> List[str]:
        """Return the paths whose initial values differ in this script, or are missing.

        Raises
        ------
        ValueError
            If the data at a path could not have been saved from there.
        """
        memory = Memory(self._root)
        memory.check_generators(saved.generators)
        present = _places_in(self._root, {**self._stated, **saved.arrays})
        unknown = saved.arrays.keys() - present.keys()
        made = {path for path in present if ".__globals__[" not in path}  # variables of a notebook
        made -= self._stated.keys() | saved.arrays.keys() | self._plain.keys()
        return sorted(unknown | made | memory.generators_astray(saved.generators))


class _Place(NamedTuple):
    holder: Any
    key: Any
    value: Any


def _places_in(root: Any, expected: Collection[str] = ()) -> Dict[str, _Place]:
    """Return the places of arrays, or of the outermost structures with arrays, by path.

    At the paths in `expected`, plain values and attributes that do not exist yet count too.
    """
    places: Dict[str, _Place] = {}
    owners: Dict[str, Names] = {}
    for holder in Walk(root).holders:
        if holder.path is None or not isinstance(holder, (Items, Names)):
            continue
        if _is_within(holder.path, places):
            continue
        if type(holder) is Names:
            owners[holder.path] = holder
        for key, value in holder.read().items():
            path = holder.path_of(key)
            is_plain = path in expected and plain.containers_in(value) is not None
            if path is not None and (is_plain or _holds_arrays(value)):
                places[path] = _Place(holder, key, value)
    for path in expected:
        owner, _, name = path.rpartition(".")
        if path not in places and owner in owners and owners[owner].takes(name):
            places[path] = _Place(owners[owner], name, None)
    return places


def _put(place: _Place, value: Any) -> None:
    """Put a value in a place; an existing container is refilled, as other names may refer to it."""
    present = place.value
    if not _can_be_filled(present) or type(present) is not type(value):
        place.holder.bind(place.key, value)
        return
    present.clear()
    (present.update if type(present) is dict else present.extend)(value)


def _can_be_filled(value: Any) -> bool:
    return type(value) in (list, dict, deque) and len(value) <= _MANY


def _rename(holder: Names, key: Any, saved: Dict[Any, Any]) -> None:
    if key in saved:
        holder.bind(key, saved[key])
    else:
        holder.unbind(key)


def _is_within(path: str, structures: Iterable[str]) -> bool:
    return any(path == one or path.startswith(f"{one}[") for one in structures)


def _holds_arrays(value: Any) -> bool:
    if type(value) in plain.ATOMS:
        return False
    leaves = list(_leaves(value))
    arrays = [leaf for leaf in leaves if isinstance(leaf, mx.nd.NDArray)]
    small = all(array.size <= plain.LARGEST and array.stype == "default" for array in arrays)
    known = (mx.nd.NDArray, Context)
    others = all(type(leaf) in plain.ATOMS or isinstance(leaf, known) for leaf in leaves)
    return bool(arrays) and small and others


def _leaves(value: Any) -> Iterator[Any]:
    if type(value) not in (list, tuple, deque, dict) or len(value) > _MANY:
        yield value
        return
    if type(value) is dict:
        yield from value
    for one in value.values() if type(value) is dict else value:
        yield from _leaves(one)


def _encode(value: Any) -> Any:
    if isinstance(value, mx.nd.NDArray):
        kind = "np" if isinstance(value, mx.np.ndarray) else "nd"
        return {kind: [value.asnumpy(), str(value.context)]}
    if isinstance(value, Context):
        return {"context": str(value)}
    if type(value) in (list, tuple):
        return {type(value).__name__: [_encode(one) for one in value]}
    if type(value) is deque:
        return {"deque": [[_encode(one) for one in value], value.maxlen]}
    if type(value) is dict:
        return {"dict": [list(map(_encode, value)), list(map(_encode, value.values()))]}
    return {"plain": plain.encode(value)}


def _decode(data: Any, contexts: Sequence[mx.Context]) -> Any:
    ((tag, content),) = data.items()
    if tag in ("np", "nd"):
        values, name = content
        return getattr(mx, tag).array(values, dtype=values.dtype, ctx=_named(name, contexts))
    if tag == "context":
        return _named(content, contexts)
    if tag == "dict":
        keys, values = ([_decode(one, contexts) for one in part] for part in content)
        return dict(zip(keys, values))
    if tag in ("list", "tuple"):
        return (list if tag == "list" else tuple)(_decode(one, contexts) for one in content)
    if tag == "deque":
        items, longest = content
        return deque((_decode(one, contexts) for one in items), longest)
    return plain.decode(content)


def _named(name: str, contexts: Sequence[mx.Context]) -> mx.Context:
    """Return the context with a name, or the first context if there is none."""
    return next((one for one in contexts if str(one) == name), contexts[0])


def _check(data: Any, place: str) -> None:
    """Raise a ValueError that names the place if `data` is not from _encode."""
    try:
        _decode(data, [mx.cpu()])
    except Exception as error:
        raise schema.astray(place, "arrays, or lists of them", type(data).__name__) from error


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return plain.same(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
