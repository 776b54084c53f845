"""Modifiers: a schedule made from another one, whoever wrote that."""

from .. import _check
from . import foreign
from .base import Schedule
from .foreign import LRCallable


class Modifier(Schedule):
    """A schedule over an inner one, whose `base_lr` is its own: read and assigned through.

    The inner schedule is any callable from an iteration to a rate. It is asked without being
    changed, whatever it remembers between calls. One that has no `base_lr` states its own
    bounds: its rate at 0 is read instead, and an assignment warns once.
    """

    def __init__(self, schedule: LRCallable) -> None:
        self.schedule = foreign.check_schedule(type(self).__name__, schedule)

    @property
    def base_lr(self) -> float:
        """The inner schedule's `base_lr`, now."""
        return foreign.get_base_lr(self.schedule)

    @base_lr.setter
    def base_lr(self, value: float) -> None:
        if not foreign.set_base_lr(self.schedule, value):
            self._decline_base_lr(value)


class LinearWarmUp(Modifier):
    """Climb evenly from `start_lr` to the inner schedule's rate at 0, then follow it from its 1.

        lr(n) = start_lr + (schedule(0) - start_lr) * n / length    0 <= n <= length
        lr(n) = schedule(n - length)                                n > length

    Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017,
    https://arxiv.org/abs/1706.02677.

    Parameters
    ----------
    schedule : callable
        From an iteration to a rate: any schedule of this package or of MXNet, or a function.
    start_lr : float
        Rate before the first iteration, at least 0.
    length : int
        Length of the warm-up, in iterations, at least 1.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds.

    >>> from gluon_lr import MultiFactorScheduler
    >>> steps = MultiFactorScheduler([250, 750], factor=0.5, base_lr=1)
    >>> schedule = LinearWarmUp(steps, start_lr=0, length=100)
    >>> [schedule(n) for n in (0, 50, 100, 350, 351, 5000)]
    [0.0, 0.5, 1.0, 1.0, 0.5, 0.25]
    """

    def __init__(self, schedule: LRCallable, start_lr: float, length: int) -> None:
        super().__init__(schedule)
        self.start_lr = _check.rate(type(self).__name__, "start_lr", start_lr)
        self.length = _check.integer(type(self).__name__, "length", length, 1)

    def _rate(self, n: int) -> float:
        if n > self.length:
            return foreign.rate(self.schedule, n - self.length)
        finish_lr = foreign.rate(self.schedule, 0)
        return self.start_lr + (finish_lr - self.start_lr) * n / self.length


class LinearCoolDown(Modifier):
    """Follow the inner schedule up to `start_idx`, then move evenly to `finish_lr` and stay.

        lr(n) = schedule(n)                                             n <= start_idx
        lr(n) = start + (finish_lr - start) * (n - start_idx) / length  up to start_idx + length
        lr(n) = finish_lr                                               n >= start_idx + length

    with ``start = schedule(start_idx)``.

    Parameters
    ----------
    schedule : callable
        From an iteration to a rate: any schedule of this package or of MXNet, or a function.
    finish_lr : float
        Rate at the end, at least 0.
    start_idx : int
        Last iteration before the cool-down, at least 0.
    length : int
        Length of the cool-down, in iterations, at least 1.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds.

    >>> from gluon_lr import FactorScheduler
    >>> schedule = LinearCoolDown(FactorScheduler(step=10, base_lr=1), 0, start_idx=100, length=50)
    >>> [schedule(n) for n in (0, 100, 125, 150, 5000)]
    [1.0, 1.0, 0.5, 0.0, 0.0]
    """

    def __init__(self, schedule: LRCallable, finish_lr: float, start_idx: int, length: int) -> None:
        super().__init__(schedule)
        name = type(self).__name__
        self.finish_lr = _check.rate(name, "finish_lr", finish_lr)
        self.start_idx = _check.integer(name, "start_idx", start_idx, 0)
        self.length = _check.integer(name, "length", length, 1)

    def _rate(self, n: int) -> float:
        if n <= self.start_idx:
            return foreign.rate(self.schedule, n)
        if n >= self.start_idx + self.length:
            return self.finish_lr
        start_lr = foreign.rate(self.schedule, self.start_idx)
        return start_lr + (self.finish_lr - start_lr) * (n - self.start_idx) / self.length
