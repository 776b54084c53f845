"""A place in the data, to go on from in this process or in another."""

from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np

from ..state import plain, schema
from ..state.generators import GlobalState
from ..state.memory import Memory

_REMEMBERED = schema.Record(
    own=schema.ByName(schema.ANYTHING),
    values=schema.ByName(
        schema.Record(
            stated=schema.ANYTHING, beside=schema.ByName(schema.SCALAR), value=schema.ANYTHING
        )
    ),
)
_MOMENT = schema.Record(generators=schema.ANYTHING, loader=schema.Maybe(_REMEMBERED))
_PLACE = schema.Record(
    begun=_MOMENT, drawn=schema.COUNT, again=schema.COUNT, now=schema.Maybe(_MOMENT)
)


class Moved(NamedTuple):
    """A plain value that is no more what the script had stated.

    Attributes
    ----------
    stated : object
        What that was.
    beside : dict
        The whole numbers that were stated of the same object, a batch size say, by their paths.
        A container may mean nothing beside others; where the value is none, this is empty.
    value : object
        What it has become.
    """

    stated: Any
    beside: Dict[str, int]
    value: Any


class Remembered(NamedTuple):
    """What a data loader remembers.

    Attributes
    ----------
    own : dict
        The states of the random generators that it can reach, by their paths.
    values : dict
        The plain values that it can reach and that have moved, by their paths.
    """

    own: Dict[str, Any]
    values: Dict[str, Moved]

    def as_data(self) -> Dict[str, Any]:
        """Return it as what JSON can write, and arrays."""
        values = {path: moved._asdict() for path, moved in self.values.items()}
        return {"own": self.own, "values": values}

    @classmethod
    def from_data(cls, data: Any, place: str) -> "Remembered":
        """Return what :meth:`as_data` wrote, or raise a ValueError that names the place."""
        _REMEMBERED.check(data, place)
        return cls(data["own"], {path: Moved(**one) for path, one in data["values"].items()})


class LoaderMemory:
    """What a data loader remembers, beside what the script has stated of it.

    Parameters
    ----------
    loader : iterable
        As the script has made it; None remembers nothing.

    Attributes
    ----------
    has_iterator : bool
        As :class:`Memory` has it, when it was looked at last.
    """

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        memory = Memory(loader)
        self.has_iterator = memory.has_iterator
        self._stated = memory.values()

    def now(self) -> Remembered:
        """Return what the loader remembers now."""
        memory = Memory(self.loader)
        self.has_iterator = memory.has_iterator
        moved = {
            path: Moved(self._stated.get(path), self._beside(path, value), value)
            for path, value in memory.values().items()
            if not plain.same(value, self._stated.get(path))
        }
        return Remembered(memory.generators(), moved)

    def put_back(self, remembered: Remembered) -> None:
        """Make the loader remember it, and what has not moved there as this script states it."""
        memory = Memory(self.loader)
        present, values = memory.values(), {**self._stated, **self._fitting(remembered)}
        memory.put_values(
            {
                path: value
                for path, value in values.items()
                if path not in present or not plain.same(value, present[path])
            }
        )
        memory.put_generators(remembered.own)

    def go_back(self, remembered: Remembered) -> None:
        """Do as :meth:`put_back`, and take away what the loader has made since."""
        memory = Memory(self.loader)
        made = memory.values().keys() - self._stated.keys() - remembered.values.keys()
        memory.remove(made | (memory.generators().keys() - remembered.own.keys()))
        self.put_back(remembered)

    def check(self, remembered: Remembered) -> List[str]:
        """Return the paths of what this loader states otherwise, or has not.

        Raises
        ------
        ValueError
            Where what is at a path is nothing that could have been there.
        """
        memory, fitting = Memory(self.loader), self._fitting(remembered)
        memory.check_generators(remembered.own)
        memory.check_values(fitting)
        astray = remembered.values.keys() - fitting.keys()
        astray |= memory.values().keys() - self._stated.keys() - remembered.values.keys()
        return sorted(astray | memory.generators_astray(remembered.own))

    def _fitting(self, remembered: Remembered) -> Dict[str, Any]:
        return {
            path: moved.value
            for path, moved in remembered.values.items()
            if plain.same(moved.stated, self._stated.get(path))
            and moved.beside == self._beside(path, moved.value)
        }

    def _beside(self, path: str, value: Any) -> Dict[str, int]:
        """Return the whole numbers that the script has stated of the object with a container."""
        owner = _owner(path)
        if not isinstance(value, (dict, list, np.ndarray)):
            return {}
        return {
            other: value
            for other, value in self._stated.items()
            if isinstance(value, int) and other != path and _owner(other) == owner
        }


def _owner(path: str) -> str:
    return path[: max(path.rfind("."), path.rfind("["))]


class Moment(NamedTuple):
    """What all draw from: Python's and NumPy's generators, and what the loader remembers.

    None in place of that is for what reading up to the moment leaves.
    """

    generators: GlobalState
    loader: Optional[Remembered]

    def as_data(self) -> Dict[str, Any]:
        """Return it as what JSON can write, and arrays."""
        loader = None if self.loader is None else self.loader.as_data()
        return {"generators": self.generators.as_data(), "loader": loader}

    @classmethod
    def from_data(cls, data: Any, place: str) -> "Moment":
        """Return what :meth:`as_data` wrote, or raise a ValueError that names the place."""
        _MOMENT.check(data, place)
        generators = GlobalState.from_data(data["generators"], f"{place}.generators")
        loader = data["loader"]
        return cls(generators, loader and Remembered.from_data(loader, f"{place}.loader"))


class Place(NamedTuple):
    """A place in the data.

    Attributes
    ----------
    begun : Moment
        The start of the pass.
    drawn : int
        Batches read in the pass.
    again : int
        The last ones of these that are to be given again.
    now : Moment, optional
        The place itself. None is for what reading up to it leaves.
    """

    begun: Moment
    drawn: int
    again: int
    now: Optional[Moment]

    def as_data(self) -> Dict[str, Any]:
        """Return the place as what JSON can write, and arrays."""
        now = None if self.now is None else self.now.as_data()
        return {**self._asdict(), "begun": self.begun.as_data(), "now": now}

    @classmethod
    def from_data(cls, data: Any, place: str) -> "Place":
        """Return what :meth:`as_data` wrote, or raise a ValueError that names the place."""
        _PLACE.check(data, place)
        begun = Moment.from_data(data["begun"], f"{place}.begun")
        now = data["now"] and Moment.from_data(data["now"], f"{place}.now")
        if data["again"] > data["drawn"]:
            raise schema.astray(f"{place}.again", f"at most drawn, {data['drawn']}", data["again"])
        return cls(begun, data["drawn"], data["again"], now)
