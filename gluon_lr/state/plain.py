"""Plain values (numbers, strings and their containers) as data for `json`, and back."""

import marshal
import math
from collections import deque
from itertools import chain, repeat
from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, Optional, Tuple

import numpy as np

LARGEST = 1_000_000  # elements; a larger value is taken as data, not as state
MUTABLE = (list, dict, set, deque)
_CONTAINERS = (*MUTABLE, tuple)
_DEEPEST = 50  # levels of nested containers
_BEYOND = 2**63  # larger ints are written in hex: Python limits the decimal digits
_KEYS = frozenset([str, int])
_JSON_ATOMS = (type(None), bool, int, float, str)
_NUMERIC = "biufc"  # the kinds of NumPy's types
_SCALARS = [kind for kind in np.sctypeDict.values() if np.dtype(kind).kind in _NUMERIC]
_CODES = {np.dtype(kind).str for kind in _SCALARS}
ATOMS: FrozenSet[type] = frozenset([*_JSON_ATOMS, *_SCALARS])


def containers_in(value: Any, deepest: int = _DEEPEST) -> Optional[List[Any]]:
    """Return the mutable containers in a plain value, itself included; None if it is not plain."""
    if type(value) in ATOMS:
        return []
    if not deepest or not _is_container(value):
        return None
    if containers_in(next(_parts([value]), None), deepest - 1) is None:
        return None  # a quick exit for long lists that are not plain
    found: List[Any] = []
    level, left = [value], LARGEST
    for _ in range(deepest):
        if not all(map(_is_container, level)):
            return None
        left -= sum(map(len, level))
        if left < 0:
            return None
        found += [one for one in level if type(one) in MUTABLE]
        if ATOMS.issuperset(map(type, _parts(level))):
            return found
        level = [one for one in _parts(level) if type(one) not in ATOMS]
    return None


def _is_container(value: Any) -> bool:
    kind = type(value)
    return kind in _CONTAINERS and (kind is not dict or _KEYS.issuperset(map(type, value)))


def _parts(containers: List[Any]) -> Iterator[Any]:
    return chain.from_iterable(one.values() if type(one) is dict else one for one in containers)


def is_array(value: Any) -> bool:
    """Return whether a value is an array of numbers, small enough to count as state."""
    return type(value) is np.ndarray and value.dtype.kind in _NUMERIC and value.size <= LARGEST


def encode(value: Any) -> Any:
    """Return a plain value as data for `json`, or a copy of an array."""
    kind = type(value)
    if kind is np.ndarray:
        return value.copy()
    if kind is list:
        return _encode_all(value)
    if kind is dict:
        return {"dict": [_encode_all(value), _encode_all(value.values())]}
    if kind is deque:
        return {"deque": [_encode_all(value), value.maxlen]}
    if kind in (tuple, set):
        return {kind.__name__: _encode_all(value)}
    if kind is int:
        return value if abs(value) < _BEYOND else {"int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"float": np.float64(value).tobytes().hex()}
    if isinstance(value, np.generic):
        return {"scalar": [value.dtype.str, value.tobytes().hex()]}
    return value


def _encode_all(values: Iterable[Any]) -> List[Any]:
    return [one if type(one) is int and -_BEYOND < one < _BEYOND else encode(one) for one in values]


def decode(data: Any) -> Any:
    """Return the value that :func:`encode` encoded.

    Raises
    ------
    ValueError
        If the data is not from :func:`encode`.
    """
    if is_array(data):
        return data.copy()
    try:
        return _decode(data, 0)
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"the data must be an encoded value, got {type(data).__name__}") from error


def _decode(data: Any, depth: int) -> Any:
    if type(data) in _JSON_ATOMS:
        return data
    if type(data) is list:
        return _decode_all(data, depth)
    if type(data) is not dict:
        raise TypeError(type(data))
    ((tag, content),) = data.items()
    if tag in ("tuple", "set"):
        return (tuple if tag == "tuple" else set)(_decode_all(content, depth))
    if tag == "int":
        return int(content, 16)
    if tag == "float":
        return float(_scalar("<f8", content))
    first, second = content
    if tag == "dict":
        keys, values = _decode_all(first, depth), _decode_all(second, depth)
        if len(keys) != len(values) or not _KEYS.issuperset(map(type, keys)):
            raise ValueError(tag)
        return dict(zip(keys, values))
    if tag == "deque":
        return deque(_decode_all(first, depth), second)
    if tag == "scalar":
        return _scalar(first, second)
    raise ValueError(tag)


def _decode_all(data: Any, depth: int) -> List[Any]:
    if type(data) is not list or depth > _DEEPEST:
        raise TypeError(type(data))
    return [one if type(one) is int else _decode(one, depth + 1) for one in data]


def _scalar(kind: Any, digits: Any) -> Any:
    if kind not in _CODES:
        raise ValueError(kind)
    (value,) = np.frombuffer(bytes.fromhex(digits), dtype=kind)
    return value


def same(one: Any, other: Any) -> bool:
    """Return whether two results of :func:`encode` have the same type and the same bits."""
    if type(one) is not np.ndarray or type(other) is not np.ndarray:
        return type(one) is type(other) and _text(one) == _text(other)
    alike = (one.shape, one.dtype) == (other.shape, other.dtype)
    return alike and one.tobytes() == other.tobytes()


def _text(data: Any) -> bytes:
    return marshal.dumps(data, 2)  # version 2 has no references: equal bytes for equal data


def fits(present: Any, value: Any) -> bool:
    """Return whether an existing container can take a value and stay the same object."""
    kind = type(value)
    if kind is not type(present):
        return False
    if kind is np.ndarray:
        alike = (present.shape, present.dtype) == (value.shape, value.dtype)
        return alike and bool(present.flags.writeable)
    return kind in MUTABLE and (kind is not deque or present.maxlen == value.maxlen)


def fill(present: Any, value: Any, filled: Dict[int, Tuple[Any, Any]]) -> Any:
    """Put a value into the existing container and return it; if it does not fit, return the value.

    Parameters
    ----------
    present : object
        The existing object.
    value : object
        What :func:`decode` returned.
    filled : dict
        The containers that were filled already, with their values. A container with two names is
        filled once. If the second name has another value, it gets a new container.
    """
    if not fits(present, value):
        return value
    if id(present) in filled:
        taken = filled[id(present)][1]
        return present if same(encode(taken), encode(value)) else value
    filled[id(present)] = present, value
    if isinstance(present, np.ndarray):
        present[...] = value
    elif isinstance(present, list):
        present[:] = _fill_all(present, value, filled)
    elif isinstance(present, dict):
        parts = dict(zip(value, _fill_all(map(present.get, value), value.values(), filled)))
        present.clear()
        present.update(parts)
    elif isinstance(present, set):
        present.clear()
        present.update(value)
    else:
        items = _fill_all(present, value, filled)
        present.clear()
        present.extend(items)
    return present


def _fill_all(
    present: Iterable[Any], values: Iterable[Any], filled: Dict[int, Tuple[Any, Any]]
) -> List[Any]:
    return [
        value if type(value) in ATOMS else fill(one, value, filled)
        for one, value in zip(chain(present, repeat(None)), values)
    ]
