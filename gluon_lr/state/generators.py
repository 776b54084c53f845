"""The global random generators of Python and NumPy, and those that objects hold."""

import hashlib
import math
import random
from typing import Any, Dict, NamedTuple

import numpy as np

from .. import _check
from .._memo import remembered
from . import schema

_GLOBAL = (random._inst, np.random.mtrand._rand)
# bounds that NumPy does not check: beyond them it reads outside of its arrays
_LARGEST = {
    "pos": 624,
    "buffer_pos": 4,
    "has_gauss": 1,
    "has_uint32": 1,
    "uinteger": 2**32 - 1,
    "state": 2**128 - 1,
    "inc": 2**128 - 1,
}
_BIT_GENERATORS = {
    name: getattr(np.random, name) for name in ("MT19937", "PCG64", "Philox", "SFC64")
}
_WORD = schema.Schema(
    "a whole number of 32 bits", lambda one: type(one) is int and 0 <= one < 2**32
)
_DATA = schema.Record(
    python=schema.Several(schema.ANYTHING, at_least=3),
    numpy=schema.Several(schema.ANYTHING, at_least=4),
    numpy_key=schema.Several(_WORD, at_least=624),
)


class GlobalState(NamedTuple):
    """The states of Python's and NumPy's global generators; two of these can be compared."""

    python: Any
    numpy: Any
    numpy_key: bytes

    @classmethod
    def get(cls) -> "GlobalState":
        """Return the current state."""
        state: Any = np.random.get_state()
        name, key, *rest = state
        return cls(random.getstate(), (name, *rest), key.tobytes())

    def put_back(self) -> None:
        """Set the generators to this state."""
        random.setstate(self.python)
        name, *rest = self.numpy
        np.random.set_state((name, np.frombuffer(self.numpy_key, dtype=np.uint32), *rest))

    def digest(self) -> bytes:
        """Return a 32-byte digest of this state."""
        version, internal, gauss = self.python
        words = np.array(internal, dtype=np.uint32).tobytes() + self.numpy_key
        return hashlib.sha256(words + repr((version, gauss, self.numpy)).encode()).digest()

    def as_data(self) -> Dict[str, Any]:
        """Return the state as data for `json`."""
        key = np.frombuffer(self.numpy_key, dtype=np.uint32).tolist()
        return {"python": self.python, "numpy": self.numpy, "numpy_key": key}

    @classmethod
    def from_data(cls, data: Any, place: str = "generators") -> "GlobalState":
        """Return what :meth:`as_data` wrote, or raise a ValueError that names the place."""
        _DATA.check(data, place)
        key = np.array(data["numpy_key"], dtype=np.uint32)
        try:
            version, internal, gauss = data["python"]
            random.Random().setstate((version, tuple(internal), gauss))
            name, position, has_gauss, cached = data["numpy"]
            state = {"key": key, "pos": position}
            parts = {"bit_generator": name, "state": state, "has_gauss": has_gauss, "gauss": cached}
            check_state(np.random.RandomState(), parts)
        except (TypeError, ValueError, OverflowError) as error:
            raise schema.astray(place, "a state that these generators accept", error) from None
        return cls((version, tuple(internal), gauss), tuple(data["numpy"]), key.tobytes())


def is_generator(value: Any) -> bool:
    """Return whether a value is a random generator, except the two of :class:`GlobalState`."""
    kind: Any = type(value)
    return can_be_generator(kind) and not any(value is one for one in _GLOBAL)


@remembered
def can_be_generator(kind: Any) -> bool:
    """Return whether the objects of a class are random generators with a state."""
    kinds = (random.Random, np.random.RandomState, np.random.Generator)
    return issubclass(kind, kinds) and not issubclass(kind, random.SystemRandom)


def state_of(generator: Any) -> Dict[str, Any]:
    """Return a generator's state as data for `json`, and arrays.

    Parameters
    ----------
    generator : random.Random, numpy.random.RandomState or numpy.random.Generator
        The generator, which does not change.
    """
    if isinstance(generator, np.random.Generator):
        return dict(generator.bit_generator.state)
    if isinstance(generator, np.random.RandomState):
        return dict(generator.get_state(legacy=False))
    _, internal, gauss = random.Random.getstate(generator)
    *key, position = internal
    return {
        "bit_generator": "random.Random",
        "state": {"key": np.array(key, dtype=np.uint32), "pos": position},
        "has_gauss": int(gauss is not None),
        "gauss": 0.0 if gauss is None else gauss,
    }


def put_state(generator: Any, state: Any) -> None:
    """Set a generator to a state that :func:`state_of` returned.

    Raises
    ------
    ValueError
        If it is not a state, or is for another kind of generator.
    """
    check_state(generator, state)
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        internal = (*state["state"]["key"].tolist(), state["state"]["pos"])
        gauss = state["gauss"] if state["has_gauss"] else None
        random.Random.setstate(generator, (random.Random.VERSION, internal, gauss))


def made_from(state: Any) -> Any:
    """Return a new generator with a state that :func:`state_of` returned.

    Raises
    ------
    ValueError
        If it is not a state.
    """
    kind = state.get("bit_generator") if isinstance(state, dict) else None
    if kind == "random.Random":
        generator: Any = random.Random()
    elif kind in _BIT_GENERATORS:
        with_gauss = "has_gauss" in state
        generator = (np.random.RandomState if with_gauss else np.random.Generator)(
            _BIT_GENERATORS[kind]()
        )
    else:
        constraint = "the state of a random generator"
        raise ValueError(_check.message("made_from", "state", constraint, type(state)))
    put_state(generator, state)
    return generator


def check_state(generator: Any, state: Any) -> None:
    """Raise a ValueError if :func:`put_state` would."""
    own = state_of(generator)
    if not _alike(own, state):
        constraint = f"the state of a generator of {own['bit_generator']}"
        raise ValueError(_check.message("put_state", "state", constraint, type(state)))


def _alike(own: Any, other: Any, name: str = "") -> bool:
    """Return whether a part of a state has the type and size of `own`, and is within bounds."""
    if type(own) is not type(other):
        return False
    if isinstance(own, dict):
        return own.keys() == other.keys() and all(_alike(own[k], other[k], k) for k in own)
    if isinstance(own, np.ndarray):
        return (own.shape, own.dtype) == (other.shape, other.dtype)
    if isinstance(own, float):
        return math.isfinite(other)
    if isinstance(own, int):
        return 0 <= other <= _LARGEST.get(name, _LARGEST["state"])
    return bool(own == other)
