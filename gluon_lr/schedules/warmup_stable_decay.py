"""The schedule of three stages: warm-up, constant rate, decay."""

import numpy as np

from .. import _check
from .base import BoundedSchedule
from .compose import CoolDown, LinearWarmUp
from .cycle import ConstantSchedule
from .lengths import Extent
from .shapes import FALLS

__all__ = [
    "WarmupStableDecaySchedule",
]


class WarmupStableDecaySchedule(BoundedSchedule):
    """Warm up linearly to `lr`, stay there, and decay along a shape at the end (WSD).

    A :class:`LinearWarmUp` to a :class:`ConstantSchedule` with a :class:`CoolDown`:

        lr(n) = start_lr + (lr - start_lr) * n / warmup             n <= warmup
        lr(n) = lr                                                  up to warmup + stable
        lr(n) = finish_lr + (lr - finish_lr) * fall(t)              the `decay` iterations after it
        lr(n) = finish_lr                                           from there on

    You can choose the end during training: continue from a checkpoint before the decay.

    Hu et al., "MiniCPM: Unveiling the Potential of Small Language Models with Scalable Training
    Strategies", 2024, https://arxiv.org/abs/2404.06395. Haegele et al., "Scaling Laws and
    Compute-Optimal Training Beyond Fixed Training Durations", 2024,
    https://arxiv.org/abs/2405.18392, on the shapes.

    Parameters
    ----------
    lr : float
        Rate in the middle, at least 0.
    warmup, stable, decay : float
        Lengths of the three stages, in iterations, at least 0; fractions are allowed.
    shape : {'linear', 'cosine', '1-sqrt', 'square', 'exponential'}
        Shape of the decay, as in :class:`CoolDown`.
    start_lr, finish_lr : float
        Rates at the start and at the end, at least 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = WarmupStableDecaySchedule(1, warmup=100, stable=800, decay=100, shape="1-sqrt")
    >>> [schedule(n) for n in (0, 50, 100, 900, 925, 1000, 5000)]
    [0.0, 0.5, 1.0, 1.0, 0.5, 0.0, 0.0]
    """

    _derived = ("_curve", "_fall", "_until")
    _lengths = ("warmup", "stable", "decay")

    def __init__(
        self,
        lr: float,
        warmup: float,
        stable: float,
        decay: float,
        shape: str = "linear",
        start_lr: float = 0,
        finish_lr: float = 0,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.lr = _check.rate(name, "lr", lr)
        self.warmup = _check.iterations(name, "warmup", warmup, 0)
        self.stable = _check.iterations(name, "stable", stable, 0)
        self.decay = _check.iterations(name, "decay", decay, 0)
        self.shape = _check.one_of(name, "shape", shape, [*FALLS])
        self.start_lr = _check.rate(name, "start_lr", start_lr)
        self.finish_lr = _check.rate(name, "finish_lr", finish_lr)
        self._derive()

    def _derive(self) -> None:
        flat = ConstantSchedule(self.lr)
        falling = CoolDown(flat, self.finish_lr, self.stable, self.decay, self.shape)
        self._curve = LinearWarmUp(falling, self.start_lr, self.warmup)
        self._fall, self._until = FALLS[self.shape], self.warmup + self.stable

    def _extent(self) -> Extent:
        return self._curve._extent()

    def _peak(self) -> float:
        return max(self.start_lr, self.lr, self.finish_lr)

    def _rate(self, n: float) -> float:  # the same as that of `_curve`, with fewer calls
        late = n - self._until
        if late >= self.decay:
            return self.finish_lr if late > 0 else self._curve._rate(n)
        if late > 0:
            return self.finish_lr + (self.lr - self.finish_lr) * self._fall.of(late / self.decay)
        return self.lr if n >= self.warmup else self._curve._rate(n)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return self._curve._rates(n)
