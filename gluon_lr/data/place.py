"""A place in the data, from which this process or another one can continue."""

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
    """A plain value of a data loader that has changed since the script made the loader.

    Attributes
    ----------
    stated : object
        The value that the script set.
    beside : dict
        The integers that the script set in the same object, for example a batch size, by their
        paths. A container may be meaningless with other integers. Empty if the value is no
        container.
    value : object
        The present value.
    """

    stated: Any
    beside: Dict[str, int]
    value: Any


class Remembered(NamedTuple):
    """The state of a data loader.

    Attributes
    ----------
    own : dict
        The states of all random generators reachable from it, by their paths.
    values : dict
        The plain values reachable from it that have changed, by their paths.
    """

    own: Dict[str, Any]
    values: Dict[str, Moved]

    def as_data(self) -> Dict[str, Any]:
        """Return it as JSON data and arrays."""
        values = {path: moved._asdict() for path, moved in self.values.items()}
        return {"own": self.own, "values": values}

    @classmethod
    def from_data(cls, data: Any, place: str) -> "Remembered":
        """Read what :meth:`as_data` wrote; on other data raise a ValueError that names `place`."""
        _REMEMBERED.check(data, place)
        return cls(data["own"], {path: Moved(**one) for path, one in data["values"].items()})


class LoaderMemory:
    """The state of a data loader, compared with its state when the script made it.

    Parameters
    ----------
    loader : iterable
        The loader as the script made it. None has no state.

    Attributes
    ----------
    has_iterator : bool
        Whether the loader held an iterator at the last check, as in :class:`Memory`.
    """

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        memory = Memory(loader)
        self.has_iterator = memory.has_iterator
        self._stated = memory.values()

    def now(self) -> Remembered:
        """Return the present state of the loader."""
        memory = Memory(self.loader)
        self.has_iterator = memory.has_iterator
        moved = {
            path: Moved(self._stated.get(path), self._beside(path, value), value)
            for path, value in memory.values().items()
            if not plain.same(value, self._stated.get(path))
        }
        return Remembered(memory.generators(), moved)

    def put_back(self, remembered: Remembered) -> None:
        """Restore a state of the loader; unchanged values get those set by this script."""
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
        """Do the same as :meth:`put_back`, and remove what the loader has created since."""
        memory = Memory(self.loader)
        made = memory.values().keys() - self._stated.keys() - remembered.values.keys()
        memory.remove(made | (memory.generators().keys() - remembered.own.keys()))
        self.put_back(remembered)

    def check(self, remembered: Remembered) -> List[str]:
        """Return the paths of values that this loader sets differently or does not have.

        Raises
        ------
        ValueError
            If the value at a path is not a possible one.
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
        """Return the integers that the script set in the object that holds a container."""
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
    """The random state at one moment: Python's and NumPy's generators, and the loader's state.

    If the loader's state is None, it is whatever reading up to this moment leaves.
    """

    generators: GlobalState
    loader: Optional[Remembered]

    def as_data(self) -> Dict[str, Any]:
        """Return it as JSON data and arrays."""
        loader = None if self.loader is None else self.loader.as_data()
        return {"generators": self.generators.as_data(), "loader": loader}

    @classmethod
    def from_data(cls, data: Any, place: str) -> "Moment":
        """Read what :meth:`as_data` wrote; on other data raise a ValueError that names `place`."""
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
        How many of the last of these must be given again.
    now : Moment, optional
        The moment of the place itself. If None, it is whatever reading up to it leaves.
    """

    begun: Moment
    drawn: int
    again: int
    now: Optional[Moment]

    def as_data(self) -> Dict[str, Any]:
        """Return the place as JSON data and arrays."""
        now = None if self.now is None else self.now.as_data()
        return {**self._asdict(), "begun": self.begun.as_data(), "now": now}

    @classmethod
    def from_data(cls, data: Any, place: str) -> "Place":
        """Read what :meth:`as_data` wrote; on other data raise a ValueError that names `place`."""
        _PLACE.check(data, place)
        begun = Moment.from_data(data["begun"], f"{place}.begun")
        now = data["now"] and Moment.from_data(data["now"], f"{place}.now")
        if data["again"] > data["drawn"]:
            raise schema.astray(f"{place}.again", f"at most drawn, {data['drawn']}", data["again"])
        return cls(begun, data["drawn"], data["again"], now)
