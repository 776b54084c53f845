"""The contract between a schedule and `mx.optimizer.Optimizer`."""

import inspect
from typing import TYPE_CHECKING, Any, Dict, Optional

from .. import _check
from .._mxnet import mx

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Schedule(mx.lr_scheduler.LRScheduler):
    """A learning rate as a pure function of the update count.

    Training's first update is number 1; ``schedule(0)`` is the rate before it. The same count
    gives the same rate in any order, after a jump and after a resume. The one mutable field is
    `base_lr`, which `mx.optimizer.Optimizer` assigns when it has a `learning_rate` of its own.

    A subclass keeps every constructor argument under the argument's own name and defines
    ``_rate(n)`` for ``n >= 0``; the repr, equality and pickling follow from that.

    Raises
    ------
    TypeError, ValueError
        When called with a count that is not an integer, or is negative.
    """

    _declined = False

    def __init__(self, base_lr: float = 0.01) -> None:
        self.base_lr = _check.rate(type(self).__name__, "base_lr", base_lr)

    def __call__(self, num_update: int) -> float:
        """Return the learning rate of update `num_update` (iterations, from 1)."""
        return self._rate(_check.integer(type(self).__name__, "num_update", num_update, 0))

    def plot(self, iterations: int = 1500, ax: "Optional[Axes]" = None) -> "Axes":
        """Draw the rates of iterations 1 to `iterations`, and return the matplotlib Axes."""
        from ..plotting import plot_schedule

        return plot_schedule(self, iterations, ax)

    def _rate(self, n: int) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define _rate(n)")

    def _decline_base_lr(self, value: float) -> None:
        """Say once, where another rate is assigned, that the schedule keeps its own."""
        if value == self.base_lr or self._declined:
            return
        self._declined = True
        name = type(self).__name__
        _check.warn_caller(
            f"{name}: `base_lr` stays {self.base_lr:g}, which the schedule states itself; the "
            f"assigned {value!r} is not used. Optimizers assign their learning_rate, given or "
            f"default: pass learning_rate={self.base_lr:g} to yours, or change the {name}."
        )

    def _arguments(self) -> Dict[str, Any]:
        """Return the constructor's arguments by name, without those left at their default."""
        named = {
            name: (getattr(self, name), parameter.default)
            for name, parameter in inspect.signature(type(self)).parameters.items()
            if parameter.kind is not parameter.VAR_KEYWORD
        }
        return {name: value for name, (value, default) in named.items() if value != default}

    def __repr__(self) -> str:
        arguments = [
            f"{name}={value.__name__ if isinstance(value, type) else repr(value)}"
            for name, value in self._arguments().items()
        ]
        return f"{type(self).__name__}({', '.join(arguments)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._arguments() == other._arguments()

    __hash__ = None  # type: ignore[assignment]


class BoundedSchedule(Schedule):
    """A schedule that states its own bounds: `base_lr` reads as its peak, and stays there."""

    def __init__(self) -> None:
        """Leave `base_lr` to the bounds the subclass keeps."""

    @property
    def base_lr(self) -> float:
        """The highest rate of the schedule; assigning another one changes nothing and warns."""
        return self._peak()

    @base_lr.setter
    def base_lr(self, value: float) -> None:
        self._decline_base_lr(value)

    def _peak(self) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define _peak()")
