"""The schedule that decays with a power of the iteration."""

import math

import numpy as np

from .. import _check
from . import arrays
from .base import BoundedSchedule
from .lengths import Extent

__all__ = [
    "PowerLawSchedule",
]

_LARGEST = 700.0  # largest exponent for `math.exp`


class PowerLawSchedule(BoundedSchedule):
    """Decay with a power of the iteration, limited to the highest rate `max_lr`.

        lr(n) = min(max_lr, factor * n^power)

    Shen et al., "Power Scheduler: A Batch Size and Token Number Agnostic Learning Rate
    Scheduler", 2024, https://arxiv.org/abs/2408.13359, use a power of about -0.51.

    Parameters
    ----------
    max_lr : float
        Highest rate, above 0.
    factor : float
        Rate at iteration 1 without the limit, above 0.
    power : float
        Power of the decay, below 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = PowerLawSchedule(max_lr=0.5, factor=5, power=-0.5)
    >>> [round(schedule(n), 12) for n in (0, 100, 400, 2500)]
    [0.5, 0.5, 0.25, 0.1]
    """

    _derived = ("_knee", "_log_factor")

    def __init__(self, max_lr: float, factor: float, power: float) -> None:
        super().__init__()
        name = type(self).__name__
        self.max_lr = _check.real(name, "max_lr", max_lr, above=0)
        self.factor = _check.real(name, "factor", factor, above=0)
        self.power = _check.real(name, "power", power, below=0)
        self._derive()

    def _derive(self) -> None:
        self._log_factor = math.log(self.factor)
        log_knee = (math.log(self.max_lr) - self._log_factor) / self.power
        self._knee = math.exp(min(max(log_knee, -_LARGEST), _LARGEST))  # the decay starts here

    def _peak(self) -> float:
        return self.max_lr

    def _extent(self) -> Extent:
        return Extent(self._periods * self._knee, ends=False)

    def _stretched(self, factor: float) -> "PowerLawSchedule":
        return type(self)(self.max_lr, self.factor * factor**-self.power, self.power)

    def _rate(self, n: float) -> float:
        if n <= self._knee:
            return self.max_lr
        return math.exp(self._log_factor + self.power * math.log(n))  # n**power may overflow

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return arrays.join(n, self._knee, "right", arrays.flat(self.max_lr), self._falling)

    def _falling(self, n: np.ndarray) -> np.ndarray:
        return np.exp(self._log_factor + self.power * np.log(n))
