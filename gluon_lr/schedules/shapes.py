"""Curves that several schedules share, for a position from 0 to 1 or for an array of them."""

import math
from math import pi
from typing import Any, Callable, Dict, Optional

import numpy as np

_NEAR = 0.032  # at this distance from 0 or pi, a cosine is 0.0005 from 1 or -1


class PoweredHalfCosine:
    """A shape that falls from 1 to 0 along half a cosine, raised to the power `exponent`."""

    exponent: float

    def _shape(self, position: Any, cos: Callable[[Any], Any] = math.cos) -> Any:
        height = 0.5 * (1 + cos(pi * position))
        return height if self.exponent == 1.0 else height**self.exponent

    def _shapes(self, position: np.ndarray) -> np.ndarray:
        return self._shape(position, _cos_of_rising)


class HalfCosine(PoweredHalfCosine):
    """A shape that falls from 1 at position 0 to 0 at position 1 along half a cosine."""

    exponent = 1.0


def _cos_of_rising(angles: np.ndarray) -> np.ndarray:
    """Return cosines of sorted angles from 0 to pi: `math.cos` near 1 and -1, `np.cos` elsewhere.

    `np.cos` may be wrong in the last bits. For a rate near 0, where a cosine is near 1 or -1,
    these bits can be most of the value.
    """
    cosines = np.cos(angles)
    first, last = angles.searchsorted([_NEAR, pi - _NEAR])
    for end in (slice(None, first), slice(last, None)):
        cosines[end] = np.fromiter(map(math.cos, angles[end].tolist()), np.float64)
    return cosines


class Fall:
    """A decrease from 1 at position 0 to 0 at position 1, for a number and for a sorted array."""

    __slots__ = ("of", "of_each")

    def __init__(
        self,
        of: Callable[[Any], Any],
        of_each: Optional[Callable[[np.ndarray], np.ndarray]] = None,
    ) -> None:
        self.of = of
        self.of_each = of_each or of


FALLS: Dict[str, Fall] = {
    "linear": Fall(lambda position: 1 - position),
    "cosine": Fall(HalfCosine()._shape, HalfCosine()._shapes),
    "1-sqrt": Fall(lambda position: 1 - position**0.5),
    "square": Fall(lambda position: 1 - position**2),
    "exponential": Fall(lambda position: 2 ** (1 - position) - 1),
}
