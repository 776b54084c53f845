"""The random generators that Python and NumPy draw from, and those that an object holds."""

import random
from types import FunctionType, ModuleType
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Set

import numpy as np

from .._mxnet import mx

_LEAVES = (type, ModuleType, FunctionType, mx.gluon.Block)


class GlobalState(NamedTuple):
    """The state of Python's generator and of NumPy's; two can be compared."""

    python: Any
    numpy: Any
    numpy_key: bytes

    @classmethod
    def get(cls) -> "GlobalState":
        """Take the state as it is."""
        state: Any = np.random.get_state()
        name, key, *rest = state
        return cls(random.getstate(), (name, *rest), key.tobytes())

    def put_back(self) -> None:
        """Make the generators go on from here."""
        random.setstate(self.python)
        name, *rest = self.numpy
        np.random.set_state((name, np.frombuffer(self.numpy_key, dtype=np.uint32), *rest))

    def as_data(self) -> Dict[str, Any]:
        """Return the state as what `json` can write."""
        key = np.frombuffer(self.numpy_key, dtype=np.uint32).tolist()
        return {"python": self.python, "numpy": self.numpy, "numpy_key": key}

    @classmethod
    def from_data(cls, data: Dict[str, Any]) -> "GlobalState":
        """Return the state that :meth:`as_data` wrote."""
        version, internal, gauss = data["python"]
        key = np.array(data["numpy_key"], dtype=np.uint32).tobytes()
        return cls((version, tuple(internal), gauss), tuple(data["numpy"]), key)


def states_held_by(owner: Any) -> List[Callable[[], None]]:
    """Take the states of the generators in the attributes of `owner`, and of those in turn.

    Calling each of what is returned puts one back.
    """
    return [_put_back(generator) for generator in _held_by(owner, set())]


def _held_by(owner: Any, seen: Set[int]) -> Iterator[Any]:
    if id(owner) in seen or isinstance(owner, _LEAVES):
        return
    seen.add(id(owner))
    if isinstance(owner, (random.Random, np.random.RandomState, np.random.Generator)):
        yield owner
        return
    for value in list(getattr(owner, "__dict__", {}).values()):
        yield from _held_by(value, seen)


def _put_back(generator: Any) -> Callable[[], None]:
    if isinstance(generator, random.Random):
        python = generator.getstate()
        return lambda: generator.setstate(python)
    if isinstance(generator, np.random.RandomState):
        legacy = generator.get_state()
        return lambda: generator.set_state(legacy)
    state = generator.bit_generator.state
    return lambda: setattr(generator.bit_generator, "state", state)
