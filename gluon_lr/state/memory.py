"""The state reachable from an object: random generators and plain values."""

import functools
from typing import Any, Callable, Collection, Dict, Iterable, Iterator, List, Set, Tuple

from .. import _check
from . import plain
from .generators import check_state, made_from, put_state, state_of
from .holders import CONTAINERS, Holder, Items, Names, content_kept
from .walk import Walk

_ABSENT = object()


class Memory:
    """The state reachable from an object: its random generators and plain values.

    Values with more than a million elements are left out. Items of a container with more than a
    thousand non-plain items are kept, but have no path. The two generators of
    :class:`~gluon_lr.state.generators.GlobalState` are left out, and so are MXNet's arrays,
    parameters, trainers, threads, processes and files.

    Parameters
    ----------
    root : object
        Its attributes and items are walked recursively, once, when this is created. So are the
        variables of functions, and the globals named by the user's own functions and classes.

    Attributes
    ----------
    has_iterator : bool
        Whether there is an iterator, whose position cannot be restored.

    >>> import random, types
    >>> sampler = types.SimpleNamespace(random=random.Random(3), epoch=0)
    >>> memory = Memory(sampler)
    >>> list(memory.generators())
    ['.random']
    >>> put_back = memory.keep()
    >>> sampler.epoch = 7
    >>> put_back()
    >>> sampler.epoch
    0
    """

    def __init__(self, root: Any) -> None:
        walk = Walk(root)
        self._holders = walk.holders
        self._generators = walk.generators
        self.has_iterator = walk.has_iterator

    def keep(self) -> Callable[[], None]:
        """Store the current state; return a function that restores it at each call.

        Names are bound to the same objects again. Containers and arrays stay the same objects and
        get the same items.
        """
        steps = [holder.keep() for holder in self._holders if isinstance(holder, Names)]
        steps += [content_kept(container) for container in self._containers()]
        for _, generator in self._generators:
            steps.append(functools.partial(put_state, generator, state_of(generator)))

        def put_back() -> None:
            for step in steps:
                step()

        return put_back

    def generators(self) -> Dict[str, Any]:
        """Return the states of the generators by path, as data for `json`, and arrays."""
        return {path: state_of(one) for path, one in self._generators if path is not None}

    def check_generators(self, states: Any) -> None:
        """Raise a ValueError if :meth:`put_generators` would."""
        self._read_generators(states)

    def put_generators(self, states: Any) -> None:
        """Restore what :meth:`generators` returned, possibly in another process.

        If the value at a path is None, a new generator is made. Other unknown paths are ignored,
        and generators without a state do not change.

        Raises
        ------
        ValueError
            If a state does not fit the generator at its path. No generator has changed then.
        """
        for generator, state in self._read_generators(states):
            put_state(generator, state)
        for path, (holder, key) in self._places_to_come(states).items():
            holder.bind(key, made_from(states[path]))

    def generators_astray(self, states: Dict[str, Any]) -> Set[str]:
        """Return the paths at which there is a state or a generator, but not both."""
        return (states.keys() ^ self.generators().keys()) - self._places_to_come(states).keys()

    def values(self) -> Dict[str, Any]:
        """Return the plain values by path, as data for `json`, and copies of arrays."""
        return {path: plain.encode(value) for path, _, _, value in self._values()}

    def check_values(self, values: Any) -> None:
        """Raise a ValueError if :meth:`put_values` would."""
        self._read_values(values)

    def put_values(self, values: Any) -> None:
        """Restore what :meth:`values` returned, possibly in another process.

        A container of the same kind gets the new items, and so does an array of the same shape
        and type. Otherwise the name is bound to a new object. A missing attribute is created.
        Other unknown paths are ignored, and values that are not in `values` do not change.

        Raises
        ------
        ValueError
            If a value is not an encoded one, or cannot be put at its path. No value has changed
            then.
        """
        filled: Dict[int, Tuple[Any, Any]] = {}
        for holder, key, present, value in self._read_values(values):
            value = plain.fill(present, value, filled)
            if value is not present and isinstance(holder, (Items, Names)):
                holder.bind(key, value)

    def remove(self, paths: Collection[str]) -> None:
        """Remove the attributes at these paths."""
        for holder in self._holders:
            if type(holder) is Names:
                for key in [key for key in holder.read() if holder.path_of(key) in paths]:
                    holder.unbind(key)

    def _containers(self) -> List[Any]:
        found: Dict[int, Any] = {}
        for holder in self._holders:
            for value in holder.read().values():
                if isinstance(value, CONTAINERS):
                    found[id(value)] = value
                found.update((id(one), one) for one in plain.containers_in(value) or ())
        return list(found.values())

    def _values(self) -> Iterator[Tuple[str, Holder, Any, Any]]:
        """Yield the path, the holder, the key in it and the value of each plain value."""
        for holder in self._holders:
            for key, value in holder.read().items():
                path = holder.path_of(key)
                if path is not None and holder.remembers(value):
                    yield path, holder, key, value

    def _read_values(self, values: Any) -> List[Tuple[Holder, Any, Any, Any]]:
        """Return a holder, a key, the present value and the new value for each known path."""
        if not isinstance(values, dict):
            raise ValueError(
                _check.message("Memory", "values", "a dict with paths as keys", type(values))
            )
        found = {path: (holder, key, present) for path, holder, key, present in self._values()}
        found.update(self._attributes_to_come(values.keys() - found.keys()))
        return [
            (holder, key, present, _read_value(path, values[path], holder, present))
            for path, (holder, key, present) in found.items()
            if path in values
        ]

    def _attributes_to_come(self, paths: Iterable[str]) -> Iterator[Tuple[str, Any]]:
        """Yield the places of attributes that do not exist yet, by path."""
        owners = {holder.path: holder for holder in self._holders if type(holder) is Names}
        for path in paths:
            owner, _, name = path.rpartition(".")
            if owner in owners and owners[owner].takes(name):
                yield path, (owners[owner], name, _ABSENT)

    def _places_to_come(self, states: Collection[str]) -> Dict[str, Tuple[Any, Any]]:
        """Return the places of None that are to become generators, by path."""
        return {
            path: (holder, key)
            for path, holder, key, value in self._values()
            if value is None and path in states and isinstance(holder, (Items, Names))
        }

    def _read_generators(self, states: Any) -> List[Tuple[Any, Any]]:
        if not isinstance(states, dict):
            raise ValueError(
                _check.message("Memory", "states", "a dict with paths as keys", type(states))
            )
        known = [(path, one) for path, one in self._generators if path in states]
        for path, generator in known:
            _read_state(path, states[path], type(generator).__name__, generator)
        for path in self._places_to_come(states):
            _read_state(path, states[path], "random generator")
        return [(generator, states[path]) for path, generator in known]


def _read_state(path: Any, state: Any, kind: str, generator: Any = None) -> None:
    try:
        made_from(state) if generator is None else check_state(generator, state)
    except ValueError as error:
        constraint = f"the state of a {kind} at {path!r}"
        raise ValueError(_check.message("Memory", "states", constraint, type(state))) from error


def _read_value(path: str, data: Any, holder: Holder, present: Any) -> Any:
    try:
        value = plain.decode(data)
    except ValueError as error:
        constraint = f"an encoded value at {path!r}"
        raise ValueError(_check.message("Memory", "values", constraint, type(data))) from error
    if not isinstance(holder, (Items, Names)) and not plain.fits(present, value):
        constraint = f"a {type(present).__name__} at {path!r}"
        raise ValueError(_check.message("Memory", "values", constraint, type(value)))
    return value
