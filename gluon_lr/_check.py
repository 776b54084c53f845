"""Argument checks, all with error messages of the same form.

``Class: `argument` must be <constraint>, got <value>.`` plus the remedy, if there is one.
Each check returns the value in the type that the caller stores.
"""

import math
import operator
import sys
import warnings
from numbers import Real
from typing import Any, List, Optional, Sequence, Union

import numpy as np

_INSIDE = ("gluon_lr", "mxnet")
_LARGEST = 2**63 - 1
_SHORTEST = 1e-9


def message(owner: str, argument: str, constraint: str, value: object, remedy: str = "") -> str:
    """Compose an error message."""
    return f"{owner}: `{argument}` must be {constraint}, got {value!r}." + (
        f" {remedy}" if remedy else ""
    )


def single(value: Any) -> Any:
    """Return the number in an array of one element, NumPy's or MXNet's; anything else unchanged."""
    if getattr(value, "size", 0) != 1:
        return value
    if hasattr(value, "asnumpy"):
        value = value.asnumpy()
    return value.item() if isinstance(value, (np.generic, np.ndarray)) else value


def integer(owner: str, argument: str, value: Any, minimum: int, remedy: str = "") -> int:
    """Check an integer with a lower bound, below 2^63; booleans and floats are not integers."""
    constraint = f"an integer of at least {minimum}"
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(message(owner, argument, constraint, value, remedy))
    number = operator.index(value)
    if number < minimum:
        raise ValueError(message(owner, argument, constraint, value, remedy))
    if number > _LARGEST:
        raise ValueError(message(owner, argument, "an integer below 2^63", value, remedy))
    return number


def real(
    owner: str,
    argument: str,
    value: Any,
    *,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    above: Optional[float] = None,
    below: Optional[float] = None,
    remedy: str = "",
) -> float:
    """Check a finite number within bounds; `above` and `below` are exclusive.

    A NumPy number, and an array of one element of NumPy or MXNet, are also accepted.
    """
    constraint = "a finite number"
    if math.isfinite(minimum) and math.isfinite(maximum):
        constraint += f" from {minimum:g} to {maximum:g}"
    elif math.isfinite(minimum):
        constraint += f" of at least {minimum:g}"
    if above is not None:
        constraint += f" above {above:g}"
    if below is not None:
        constraint += f" and below {below:g}"
    given = single(value)
    if isinstance(given, bool) or not isinstance(given, Real):
        raise TypeError(message(owner, argument, constraint, value, remedy))
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    inside = (
        math.isfinite(number)
        and minimum <= number <= maximum
        and (above is None or number > above)
        and (below is None or number < below)
    )
    if not inside:
        raise ValueError(message(owner, argument, constraint, value, remedy))
    return number


def rate(owner: str, argument: str, value: Any, remedy: str = "") -> float:
    """Check a learning rate: a finite number of at least 0."""
    return real(owner, argument, value, minimum=0, remedy=remedy)


def flag(owner: str, argument: str, value: Any, remedy: str = "") -> bool:
    """Check a boolean, so that another version's argument at this position is not accepted."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(message(owner, argument, "True or False", value, remedy))


def iterations(
    owner: str, argument: str, value: Any, minimum: int, remedy: str = ""
) -> Union[int, float]:
    """Check a number of iterations, below 2^63; return an int if it is whole, else a float."""
    number = real(owner, argument, value, minimum=minimum, remedy=remedy)
    if not number.is_integer():
        return number
    whole = int(single(value))
    if whole > _LARGEST:
        raise ValueError(message(owner, argument, "a number below 2^63", value, remedy))
    return whole


def length(owner: str, argument: str, value: Any, remedy: str = "") -> Union[int, float]:
    """Check a number of iterations, above 0 and below 2^63; below 1 it is a share of a training."""
    if real(owner, argument, value, above=0, remedy=remedy) < _SHORTEST:
        constraint = f"a number of at least {_SHORTEST:g}"
        raise ValueError(message(owner, argument, constraint, value, remedy))
    return iterations(owner, argument, value, 0, remedy)


def sequence(owner: str, argument: str, value: Any, constraint: str) -> Sequence[Any]:
    """Check a list, a tuple or an array of one dimension."""
    if not isinstance(value, (list, tuple)) and getattr(value, "ndim", 0) != 1:
        raise TypeError(message(owner, argument, constraint, value))
    return [*value]


def rising(owner: str, argument: str, value: Any, minimum: Optional[int] = None) -> List[float]:
    """Check a rising list of iterations, each at least `minimum`, or above 0 if that is None."""
    constraint = "a rising, non-empty list of iterations"
    given = sequence(owner, argument, value, constraint)
    if minimum is None:
        numbers = [length(owner, argument, one) for one in given]
    else:
        numbers = [iterations(owner, argument, one, minimum) for one in given]
    if not numbers or any(b <= a for a, b in zip(numbers, numbers[1:])):
        raise ValueError(message(owner, argument, constraint, value))
    return numbers


def one_of(owner: str, argument: str, value: Any, choices: Sequence[str]) -> str:
    """Check that `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        constraint = "one of " + ", ".join(repr(choice) for choice in choices)
        raise ValueError(message(owner, argument, constraint, value))
    return str(value)


def is_callable(owner: str, argument: str, value: Any, constraint: str) -> None:
    """Check that `value` can be called; `constraint` names its arguments and its result."""
    if not callable(value):
        raise TypeError(message(owner, argument, constraint, value))


def of_class(value: Any) -> str:
    """Return what to do about a class that is passed instead of an object of it; "" for others."""
    return f"Make one of this class: {value.__name__}(...)." if isinstance(value, type) else ""


def is_function(owner: str, argument: str, value: Any, constraint: str) -> None:
    """Check that `value` can be called and is not a class, which a user may pass by mistake."""
    if isinstance(value, type):
        raise TypeError(message(owner, argument, constraint, value, of_class(value)))
    is_callable(owner, argument, value, constraint)


def assigning_optimizer() -> Any:
    """Return the optimizer whose constructor makes this assignment; None for any other caller."""
    frame = sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] == "gluon_lr":
        frame = frame.f_back
    place = frame.f_globals.get("__name__"), frame.f_code.co_name
    return frame.f_locals["self"] if place == ("mxnet.optimizer.optimizer", "__init__") else None


def warn_caller(text: str) -> None:
    """Issue a UserWarning at the user's line: the first line outside this package and MXNet."""
    level = 1
    frame = sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in _INSIDE:
        frame = frame.f_back
        level += 1
    warnings.warn(text, UserWarning, stacklevel=level)
