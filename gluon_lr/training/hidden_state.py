"""The hidden state that a net, or what computes its loss, carries from batch to batch.

That is arrays of MXNet, by themselves or in lists, tuples, dicts and deques, and random generators.
Plain values are left alone: a list in which a loss notes something goes on being that.
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
_MANY = 1000  # items; a list of more is data


class HiddenKept(Transaction):
    """A block after which the hidden state is as before it.

    Names have the same arrays again, and those the same numbers, where they have a million
    elements at most.

    Parameters
    ----------
    root : object
        Nets and what computes their loss, for instance.
    """

    def __init__(self, root: Any) -> None:
        self._root = root

    def take(self) -> None:
        """Take note of it."""
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
        """Put it back."""
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
        The arrays that have moved, and lists, tuples and dicts of them, by their paths.
    """

    generators: Dict[str, Any]
    arrays: Dict[str, Any]

    def as_data(self) -> Dict[str, Any]:
        """Return it as what JSON can write, and arrays."""
        return self._asdict()

    @classmethod
    def from_data(cls, data: Any, place: str) -> "Saved":
        """Return what :meth:`as_data` wrote, or raise a ValueError that names the place."""
        _STATE.check(data, place)
        for path, one in data["arrays"].items():
            _check(one, f"{place}.arrays[{path!r}]")
        return cls(**data)


class HiddenState:
    """The hidden state that can be reached from an object, beside what the script has stated.

    Parameters
    ----------
    root : object
        As the script has made it.
    contexts : list of mx.Context
        Where arrays are put that were elsewhere.
    """

    def __init__(self, root: Any, contexts: Sequence[mx.Context]) -> None:
        self._root = root
        self._contexts = contexts
        self._plain = Memory(root).values()  # what the script has stated in place of arrays, too
        self._stated = {path: _encode(place.value) for path, place in _places_in(root).items()}

    def now(self) -> Saved:
        """Return it as it is now."""
        present = _places_in(self._root, self._stated)
        arrays = {path: _encode(place.value) for path, place in present.items()}
        moved = {
            path: data for path, data in arrays.items() if not _same(data, self._stated.get(path))
        }
        return Saved(Memory(self._root).generators(), moved)

    def put_back(self, saved: Saved) -> None:
        """Make it what was saved, and what had not moved there as this script states it."""
        targets = {**self._stated, **saved.arrays}
        for path, place in _places_in(self._root, targets).items():
            if path in targets:
                if not _same(targets[path], _encode(place.value)):
                    _put(place, _decode(targets[path], self._contexts))
            elif path in self._plain:
                _put(place, plain.decode(self._plain[path]))
        Memory(self._root).put_generators(saved.generators)

    def check(self, saved: Saved) -> List[str]:
        """Return the paths of what this script states otherwise, or has not.

        Raises
        ------
        ValueError
            Where what is at a path is nothing that could have been there.
        """
        memory = Memory(self._root)
        memory.check_generators(saved.generators)
        present = _places_in(self._root, {**self._stated, **saved.arrays})
        unknown = saved.arrays.keys() - present.keys()
        made = {path for path in present if ".__globals__[" not in path}  # a notebook's
        made -= self._stated.keys() | saved.arrays.keys() | self._plain.keys()
        return sorted(unknown | made | memory.generators_astray(saved.generators))


class _Place(NamedTuple):
    holder: Any
    key: Any
    value: Any


def _places_in(root: Any, expected: Collection[str] = ()) -> Dict[str, _Place]:
    """Return where there are arrays, by path; the outermost structures.

    What is plain at the paths `expected` counts too, and attributes that are to come there.
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
    """Put a value there: into the container that is there, which may have other names too."""
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
    """Return the context of a name, or the first where that is not among them."""
    return next((one for one in contexts if str(one) == name), contexts[0])


def _check(data: Any, place: str) -> None:
    """Raise a ValueError that names the place where `data` is nothing that _encode returned."""
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
