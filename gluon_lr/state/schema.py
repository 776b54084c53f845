"""Schemas of the data in a file, with errors that name the wrong place."""

import reprlib
from typing import Any, Callable, Sequence

import numpy as np

_LARGEST = float(np.finfo(np.float32).max)
_SHORT = reprlib.Repr()  # for data that may be nested deeply
_SHORT.maxdict = _SHORT.maxlist = _SHORT.maxlong = _SHORT.maxstring = 80


class Schema:
    """A rule for values.

    Parameters
    ----------
    expected : str
        A description of the values, for the messages.
    fits : callable
        Takes a value and returns whether it fits.
    """

    def __init__(self, expected: str, fits: Callable[[Any], bool]) -> None:
        self.expected = expected
        self._fits = fits

    def check(self, value: Any, place: str) -> None:
        """Raise a ValueError that names the place if `value` does not fit.

        Parameters
        ----------
        value : object
            The value that was read: a JSON value or an array.
        place : str
            Its place, for example ``trainer.fields``.
        """
        if not self._fits(value):
            raise astray(place, self.expected, value)


class Record(Schema):
    """A dictionary with given keys, each with its own schema."""

    def __init__(self, **fields: Schema) -> None:
        super().__init__(
            f"a dictionary with the keys {', '.join(fields)}", lambda value: isinstance(value, dict)
        )
        self._fields = fields

    def check(self, value: Any, place: str) -> None:
        """Raise as :meth:`Schema.check` does."""
        super().check(value, place)
        if value.keys() != self._fields.keys():
            raise astray(place, self.expected, list(value))
        for name, schema in self._fields.items():
            schema.check(value[name], f"{place}.{name}" if place else name)


class ByName(Schema):
    """A dictionary with any keys, whose values have one schema."""

    def __init__(self, schema: Schema) -> None:
        super().__init__("a dictionary", lambda value: isinstance(value, dict))
        self._schema = schema

    def check(self, value: Any, place: str) -> None:
        """Raise as :meth:`Schema.check` does."""
        super().check(value, place)
        for name, one in value.items():
            self._schema.check(one, f"{place}[{name!r}]")


class Several(Schema):
    """A list of at least `at_least` values with one schema."""

    def __init__(self, schema: Schema, at_least: int = 0) -> None:
        expected = f"a list of at least {at_least} values" if at_least else "a list"
        super().__init__(expected, lambda one: isinstance(one, list) and len(one) >= at_least)
        self._schema = schema

    def check(self, value: Any, place: str) -> None:
        """Raise as :meth:`Schema.check` does."""
        super().check(value, place)
        for number, one in enumerate(value):
            self._schema.check(one, f"{place}[{number}]")


class Pair(Schema):
    """A list of two values, each with its own schema."""

    def __init__(self, first: Schema, second: Schema) -> None:
        super().__init__(
            "a list of two values", lambda one: isinstance(one, list) and len(one) == 2
        )
        self._schemas = first, second

    def check(self, value: Any, place: str) -> None:
        """Raise as :meth:`Schema.check` does."""
        super().check(value, place)
        for number, schema in enumerate(self._schemas):
            schema.check(value[number], f"{place}[{number}]")


class Maybe(Schema):
    """None, or a value of a given schema."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(f"{schema.expected}, or null", lambda value: True)
        self._schema = schema

    def check(self, value: Any, place: str) -> None:
        """Raise as :meth:`Schema.check` does."""
        if value is not None:
            self._schema.check(value, place)


class Plain(Schema):
    """JSON data up to a depth of 50, in which each number fits in float32."""

    def __init__(self, depth: int = 50) -> None:
        super().__init__("at most 50 levels deep", lambda value: depth > 0)
        self._depth = depth

    def check(self, value: Any, place: str) -> None:
        """Raise as :meth:`Schema.check` does."""
        super().check(value, place)
        inner = Plain(self._depth - 1)
        if isinstance(value, dict):
            ByName(inner).check(value, place)
        elif isinstance(value, list):
            Several(inner).check(value, place)
        elif type(value) in (int, float):
            NUMBER.check(value, place)
        else:
            SCALAR.check(value, place)


def astray(place: str, expected: str, found: Any) -> ValueError:
    """Return the error for a file with an unexpected value at a place."""
    if isinstance(found, np.ndarray):
        shown = f"an array of {found.dtype} with shape {found.shape}"
    elif isinstance(found, Exception):
        shown = f"an error: {_at_most(str(found).rstrip('.'), 400)}"
    else:
        shown = _at_most(_SHORT.repr(found), 80)
    return ValueError(
        f"load: `path` must be a checkpoint in which {place or 'the content'} is {expected}, "
        f"got {shown}."
    )


def _at_most(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}..."


def arrays_of(shape: Sequence[int], dtype: Any) -> Schema:
    """Return the schema of arrays of a shape and a type; a size of 0 or -1 fits any size."""

    def fits(value: Any) -> bool:
        if not isinstance(value, np.ndarray) or value.ndim != len(shape):
            return False
        sizes = zip(shape, value.shape)
        return value.dtype == dtype and all(want in (0, -1, size) for want, size in sizes)

    return Schema(f"an array of {np.dtype(dtype)} with shape {tuple(shape)}", fits)


def is_number(value: Any) -> bool:
    """Return whether a value is an int or float that is finite, also in float32."""
    return type(value) in (int, float) and abs(value) <= _LARGEST


def _is_int64(value: Any) -> bool:
    return isinstance(value, int) and abs(value) < 2**63


ANYTHING = Schema("anything", lambda value: True)
TEXT = Schema("a text", lambda value: isinstance(value, str))
FLAG = Schema("true or false", lambda value: isinstance(value, bool))
COUNT = Schema("a whole number of at least 0", lambda one: type(one) is int and 0 <= one < 2**63)
POSITIVE = Schema("a whole number of at least 1", lambda one: type(one) is int and 0 < one < 2**63)
NUMBER = Schema("a finite number", is_number)
AT_LEAST_0 = Schema("a finite number of at least 0", lambda one: is_number(one) and one >= 0)
FLOAT = Schema("a number", lambda value: type(value) in (int, float))
SCALAR = Schema(
    "a number of 64 bits, a text, true, false or null",
    lambda one: isinstance(one, (float, str, type(None))) or _is_int64(one),
)
ARRAY = Schema("an array", lambda value: isinstance(value, np.ndarray))
PLAIN = Plain()
