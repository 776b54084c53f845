"""The contract between a schedule and `mx.optimizer.Optimizer`."""

import copy
import functools
import inspect
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Tuple, Union

import numpy as np

from .. import _check
from .._mxnet import mx
from . import arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .compose import ClippedSchedule, EpochSchedule, ScaledSchedule, SequentialSchedule


class Schedule(mx.lr_scheduler.LRScheduler):
    """A learning rate as a pure function of the update count.

    Training's first update is number 1; ``schedule(0)`` is the rate before it. The same count
    gives the same rate in any order, after a jump and after a resume. The one mutable field is
    `base_lr`, which `mx.optimizer.Optimizer` assigns when it has a `learning_rate` of its own.

    A subclass keeps every constructor argument under the argument's own name and defines
    ``_rate(n)`` for ``n >= 0``; the repr, equality, copies and pickles follow from that. It may
    define ``_rates(n)`` too, for a rising array of counts. `n` is a whole number everywhere but
    under :meth:`in_epochs`.

    Raises
    ------
    TypeError, ValueError
        When called with a count that is not an integer, or is negative.
    """

    __array_ufunc__ = None  # so that NumPy's numbers leave `number * schedule` to __rmul__
    _derived: Tuple[str, ...] = ()
    _declined = False

    def __init__(self, base_lr: float = 0.01) -> None:
        self.base_lr = _check.rate(type(self).__name__, "base_lr", base_lr)

    def __call__(self, num_update: int) -> float:
        """Return the learning rate of update `num_update` (iterations, from 1)."""
        if type(num_update) is not int or num_update < 0:
            num_update = _check.integer(type(self).__name__, "num_update", num_update, 0)
        return self._rate(num_update)

    def values(self, iterations: Any) -> np.ndarray:
        """Return the rates of many iterations at once: float64, in the shape of `iterations`.

        They are those of single calls, for whole numbers of at least 0 in any order.

        Raises
        ------
        TypeError, ValueError
            When one of `iterations` is not an integer, or is negative.

        >>> from gluon_lr import CosineScheduler
        >>> CosineScheduler(max_update=4, base_lr=1).values([0, 2, 4, 100])
        array([1. , 0.5, 0. , 0. ])
        """
        from .foreign import rates

        return arrays.evaluate(type(self).__name__, functools.partial(rates, self), iterations)

    def plot(self, iterations: int = 1500, ax: "Optional[Axes]" = None) -> "Axes":
        """Draw the rates of iterations 1 to `iterations`, and return the matplotlib Axes."""
        from .plot import plot_schedule

        return plot_schedule(self, iterations, ax)

    def then(self, schedule: Callable[[int], float], after: int) -> "SequentialSchedule":
        """Follow this schedule to iteration `after`, then `schedule` from its own 1."""
        from .compose import SequentialSchedule

        return SequentialSchedule(self, schedule, after)

    def __mul__(self, factor: float) -> "ScaledSchedule":
        """Return this schedule with all rates multiplied by `factor`."""
        from .compose import ScaledSchedule

        return ScaledSchedule(self, factor)

    __rmul__ = __mul__

    def clip(self, low: float = 0, high: Optional[float] = None) -> "ClippedSchedule":
        """Return this schedule with all rates kept from `low` to `high`."""
        from .compose import ClippedSchedule

        return ClippedSchedule(self, low, high)

    def in_epochs(self, iterations_per_epoch: int) -> "EpochSchedule":
        """Take this schedule's numbers as epochs, and return it as a schedule of iterations."""
        from .compose import EpochSchedule

        return EpochSchedule(self, iterations_per_epoch)

    def to_config(self) -> Dict[str, Any]:
        """Return the schedule as nested dictionaries that `json` can write.

        Raises
        ------
        ValueError
            When a part of it is not a schedule of this package or of MXNet: a function, say.

        >>> from gluon_lr import PolyScheduler
        >>> PolyScheduler(max_update=100, base_lr=0.1).to_config()
        {'class': 'PolyScheduler', 'arguments': {'max_update': 100, 'base_lr': 0.1}}
        """
        from .text import to_config

        return to_config(self)

    @classmethod
    def from_config(cls, config: Union[str, Mapping[str, Any]]) -> "Schedule":
        """Return the schedule of which `config` is the :meth:`to_config`, or its JSON text.

        Raises
        ------
        TypeError, ValueError
            When `config` is anything else; the message names the place.
        """
        from .text import from_config

        schedule = from_config(config)
        if not isinstance(schedule, cls):
            constraint = f"the config of a {cls.__name__}"
            raise ValueError(_check.message("from_config", "config", constraint, config))
        return schedule

    def _rate(self, n: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define _rate(n)")

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return arrays.one_by_one(self._rate, n)

    def _derive(self) -> None:
        """Set the attributes named in `_derived`, which follow from the arguments."""

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

    def __copy__(self) -> "Schedule":
        return copy.deepcopy(self)

    def __getstate__(self) -> Dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in self._derived}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._derive()


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
