"""Nested data in a safetensors file, without pickle; a digest detects incomplete files.

The arrays are the file's tensors (https://github.com/huggingface/safetensors), named by their
places in the data: "parameters/0.weight/0". The file's metadata is

- format: "gluon_lr checkpoint 2";
- state: all other data, as JSON. An array is {"__array__": its name} in it, and a float that
  JSON does not have is {"__float__": "nan"}, "inf" or "-inf";
- sha256: the SHA-256 digest of both.
"""

import hashlib
import json
import math
import reprlib
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NoReturn, Optional, Tuple

import numpy as np
import safetensors.numpy

from .. import _check
from .files import PathLike, write_whole

_LENGTH = 8  # bytes that hold the length of the header
_LARGEST_HEADER = 100_000_000  # bytes; safetensors reads no larger header
_ARRAY, _BFLOAT16_ARRAY, _FLOAT = _TAGS = ("__array__", "__bfloat16__", "__float__")
_PLAIN = {int, str, bool, type(None)}
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_INTEGERS = ("?", "i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", "<u8")
_DTYPES = {np.dtype(name) for name in (*_INTEGERS, "<f2", "<f4", "<f8")}
_BFLOAT16 = np.dtype([("bfloat16", "<u2")])  # as MXNet returns it


def save_data(path: PathLike, data: Dict[str, Any], kind: str) -> None:
    """Write nested data to a file, completely or not at all.

    Parameters
    ----------
    path : str or path
        The file.
    data : dict
        JSON data, NumPy numbers, and arrays of bool, integers or floats up to 64 bits. Keys are
        read back as strings, tuples as lists, NumPy numbers as Python's.
    kind : str
        The kind of file, for example "checkpoint"; it is in the file and in messages.

    Raises
    ------
    TypeError
        If the data has other types.
    ValueError
        If it is nested too deeply or too large, or has keys that are reserved in the file.
    OSError
        If the file cannot be written.
    """
    state, arrays = _encoded(data, kind)
    metadata = {"format": _format(kind), "state": state, "sha256": _digest(state, arrays)}

    def write(name: str) -> None:
        if Path(name).is_file():
            safetensors.numpy.save_file(arrays, name, metadata=metadata)
        else:  # save_file would replace it, even /dev/null
            Path(name).write_bytes(safetensors.numpy.save(arrays, metadata=metadata))

    write_whole(path, write)


def as_read(data: Dict[str, Any], kind: str) -> Dict[str, Any]:
    """Return data as :func:`load_data` would read it from a file; arrays are not copied."""
    return _decoded(*_encoded(data, kind))


def load_data(path: PathLike, kind: str) -> Dict[str, Any]:
    """Read a file of :func:`save_data`.

    Raises
    ------
    ValueError
        If the file is of another kind, or not complete.
    OSError
        If it cannot be read.
    """
    content = Path(path).read_bytes()
    metadata = _metadata(content)
    if metadata is None or metadata.get("format") != _format(kind):
        constraint, remedy = f"a {kind} of gluon_lr", ""
        if content.startswith(f"gluon_lr {kind} 1\n".encode()):
            constraint = f"a {kind} of this version of gluon_lr"
            remedy = (
                "Load it with the older gluon_lr that wrote it, and save its content in another "
                "format."
            )
        raise ValueError(_check.message("load", "path", constraint, str(path), remedy))
    state, digest = metadata.get("state"), metadata.get("sha256")
    arrays = _arrays(content)
    if arrays is None or not isinstance(state, str) or digest != _digest(state, arrays):
        constraint = f"a {kind} that is complete and unchanged"
        remedy = "Use another copy: the digest shows that this one was cut off or changed."
        raise ValueError(_check.message("load", "path", constraint, str(path), remedy))
    try:
        return _decoded(state, arrays)
    except ValueError as error:
        constraint = f"a {kind} of gluon_lr"
        remedy = f"The digest is correct, but {error}."
        message = _check.message("load", "path", constraint, str(path), remedy)
        raise ValueError(message) from error


def _format(kind: str) -> str:
    return f"gluon_lr {kind} 2"


def _digest(state: str, arrays: Dict[str, np.ndarray]) -> str:
    named = sorted(arrays.items())
    header = [(name, array.dtype.str, array.shape) for name, array in named]
    digest = hashlib.sha256(f"{state}{json.dumps(header)}".encode())
    for _, array in named:
        digest.update(array.reshape(-1).view(np.uint8).data)  # without a copy
    return digest.hexdigest()


# -- writing -----------------------------------------------------------------------------------


def _encoded(data: Dict[str, Any], kind: str) -> Tuple[str, Dict[str, np.ndarray]]:
    """Return data as JSON text, and its arrays by name."""
    owner = f"save_{kind}"
    encoder = _Encoder(owner)
    try:
        state = json.dumps(encoder.encode(data), allow_nan=False)
    except RecursionError:
        constraint, found = "less deeply nested", "lists or dicts with too many levels"
        raise ValueError(_check.message(owner, "more", constraint, found)) from None
    if len(state) > _LARGEST_HEADER:
        constraint = f"at most {_LARGEST_HEADER} bytes of JSON, without its arrays"
        remedy = "Convert long lists of numbers to arrays."
        raise ValueError(_check.message(owner, "more", constraint, len(state), remedy))
    return state, encoder.arrays


class _Encoder:
    """Converts data for JSON and collects its arrays."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self.arrays: Dict[str, np.ndarray] = {}

    def encode(self, value: Any, place: Tuple[str, ...] = ()) -> Any:
        if type(value) in _PLAIN:
            return value
        if isinstance(value, np.generic) and value.dtype.kind in "biuf":
            value = value.item()
        if isinstance(value, (str, int)):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {_FLOAT: float.__repr__(value)}
        if isinstance(value, (list, tuple)):
            if _PLAIN.issuperset(map(type, value)):  # fast path: generators have thousands
                return list(value)
            return [self.encode(one, (*place, str(i))) for i, one in enumerate(value)]
        if isinstance(value, dict):
            return self._encode_dict(value, place)
        if isinstance(value, np.ndarray):
            return self._encode_array(value, place)
        constraint = "values that JSON can store, or NumPy arrays"
        raise TypeError(self._message(constraint, type(value).__name__, place))

    def _encode_dict(self, value: Dict[Any, Any], place: Tuple[str, ...]) -> Dict[str, Any]:
        encoded: Dict[str, Any] = {}
        for key, one in value.items():
            text = self._key(key, place)
            if text in _TAGS or text in encoded:
                constraint = (
                    f"dicts without the keys {', '.join(map(repr, _TAGS))}, whose keys are all "
                    "different as text"
                )
                raise ValueError(self._message(constraint, text, place))
            encoded[text] = self.encode(one, (*place, text))
        return encoded

    def _key(self, key: Any, place: Tuple[str, ...]) -> str:
        """Return JSON's text for a dict's key."""
        if isinstance(key, str):
            return key
        if key is None or isinstance(key, (int, float)):
            return json.dumps(key)
        raise TypeError(self._message("dicts with strings as keys", str(key), place))

    def _free_name(self, place: Tuple[str, ...]) -> str:
        name = "/".join(place).encode("utf-8", "backslashreplace").decode()
        while name in self.arrays or name == "__metadata__":
            name += "'"
        return name

    def _encode_array(self, array: np.ndarray, place: Tuple[str, ...]) -> Dict[str, str]:
        """Collect an array, copied if it is not little-endian and row by row as in the file."""
        name = self._free_name(place)
        if array.dtype == _BFLOAT16:
            self.arrays[name] = array.view(np.uint16).astype("<u2", order="C", copy=False)
            return {_BFLOAT16_ARRAY: name}
        dtype = array.dtype.newbyteorder("<")
        if dtype not in _DTYPES:
            constraint = "arrays of bool, integers or floats of at most 64 bits"
            raise TypeError(self._message(constraint, str(array.dtype), place))
        self.arrays[name] = array.astype(dtype, order="C", subok=False, copy=False)
        return {_ARRAY: name}

    def _message(self, constraint: str, found: str, place: Tuple[str, ...]) -> str:
        return _check.message(self._owner, "more", constraint, f"{found} in {'/'.join(place)}")


# -- reading -----------------------------------------------------------------------------------


def _metadata(content: bytes) -> Optional[Dict[str, Any]]:
    """Return the metadata of a safetensors file; None if it is no such file, or has none."""
    length = int.from_bytes(content[:_LENGTH], "little")
    try:
        metadata = _from_json(content[_LENGTH : _LENGTH + length], "header", _dict)["__metadata__"]
    except (KeyError, ValueError):
        return None
    return metadata if isinstance(metadata, dict) else None


def _arrays(content: bytes) -> Optional[Dict[str, np.ndarray]]:
    """Return the tensors of a safetensors file; None if they cannot be read."""
    try:
        return dict(safetensors.numpy.load(content))
    except Exception:  # noqa: BLE001 - errors differ between versions of safetensors
        return None


def _decoded(state: str, arrays: Dict[str, np.ndarray]) -> Dict[str, Any]:
    """Return the data of a file with the right digest; raise a ValueError if it is wrong."""

    def decoded(pairs: List[Tuple[str, Any]]) -> Any:
        key, value = pairs[0] if len(pairs) == 1 else ("", None)
        if key == _ARRAY:
            return _look_up(arrays, value, "array")
        if key == _BFLOAT16_ARRAY:
            return _bfloat16(_look_up(arrays, value, "array"))
        if key == _FLOAT:
            return _look_up(_FLOATS, value, "float")
        return _dict(pairs)

    return _from_json(state, "state", decoded)


def _bfloat16(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.uint16:
        raise ValueError(f"an array of bfloat16 is stored as {array.dtype}, not as uint16")
    return array.view(_BFLOAT16)


def _from_json(
    text: Any, place: str, make: Callable[[List[Tuple[str, Any]]], Any]
) -> Dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=make, parse_constant=_refuse_constant)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"its {place} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"its {place} is not a JSON object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not valid JSON")


def _dict(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError(f"a name appears twice in {reprlib.repr([name for name, _ in pairs])}")
    return made


def _look_up(table: Mapping[str, Any], name: Any, what: str) -> Any:
    if not isinstance(name, str) or name not in table:
        raise ValueError(f"there is no {what} {reprlib.repr(name)}")
    return table[name]
