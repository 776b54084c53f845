"""The contract between a schedule and `mx.optimizer.Optimizer`."""

import copy
import functools
import inspect
import math
import weakref
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    Optional,
    Tuple,
    Type,
    TypeVar,
    Union,
    overload,
)

import numpy as np

from .. import _check
from .._mxnet import mx
from . import arrays, lengths
from .lengths import Extent


class HasValues:
    """A callable that returns values: a curve (of positions) or, for mypy, also a schedule."""

    def __call__(self, place: Any) -> Any:
        """Return the value at a position or an iteration."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")


if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .algebra import MaximumSchedule, MinimumSchedule, ProductSchedule, SumSchedule
    from .compose import ClippedSchedule, EpochSchedule, ScaledSchedule, SequentialSchedule
    from .counts import ContinuedSchedule, ShiftedSchedule

    class LRScheduler(HasValues):
        """The types of MXNet's schedule class, which has none."""

        base_lr: float

        def __call__(self, num_update: float) -> float:
            """Return the learning rate of an update."""

else:
    LRScheduler = mx.lr_scheduler.LRScheduler


Self = TypeVar("Self", bound="Schedule")

_DEFAULT = 0.01  # of base_lr, as in MXNet
_warned: "weakref.WeakSet[Any]" = weakref.WeakSet()  # optimizers that had a warning


def _constructor_of(cls: type) -> Tuple[Callable[..., None], Tuple[str, ...]]:
    """Return the constructor that a class inherits from this package, and its argument names."""
    ours = (one for one in cls.__mro__ if one.__module__.split(".")[0] == "gluon_lr")
    constructor = next(vars(one)["__init__"] for one in ours if "__init__" in vars(one))
    return constructor, _arguments_of(constructor)


@functools.lru_cache(maxsize=None)  # only this package's constructors: the cache keeps them alive
def _arguments_of(constructor: Callable[..., None]) -> Tuple[str, ...]:
    _, *parameters = inspect.signature(constructor).parameters.values()
    return tuple(one.name for one in parameters if one.kind is not one.VAR_KEYWORD)


def _default_rate(optimizer: Any) -> Any:
    """Return the default `learning_rate` of an optimizer's constructor."""
    for cls in type(optimizer).__mro__:
        parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
        if "learning_rate" in parameters:
            return parameters["learning_rate"].default
    return None


def _warn_once(optimizer: Any, text: str) -> None:
    """Warn at the user's line, once per optimizer, even if a compound has several schedules."""
    if optimizer not in _warned:
        _warned.add(optimizer)
        _check.warn_caller(text)


class _User:
    """Marks a `base_lr` that the user assigned, not an optimizer."""


class Schedule(LRScheduler):
    """A learning rate as a pure function of the update count.

    The first update of a training is number 1; ``schedule(0)`` is the rate before it. The same
    count always gives the same rate: in any order, after a jump and after a resume.
    `mx.optimizer.Optimizer` assigns its own `learning_rate`, if it has one, to `base_lr`. If this
    seems unintended, there is one warning. You can assign any argument later: it is checked as in
    the constructor, and the curve changes.

    A subclass stores every constructor argument in an attribute of the same name, and defines
    ``_rate(n)`` for ``n >= 0``. The repr, equality, copies and pickles then work. It may also
    define ``_rates(n)``, for an array of counts in rising order. `n` is a whole number in
    training, except inside :meth:`in_epochs`.

    Raises
    ------
    TypeError, ValueError
        When called with a count that is not a finite number, or is negative.
    """

    __array_ufunc__ = None  # so that `number * schedule` calls __rmul__ for NumPy's numbers too
    _derived: Tuple[str, ...] = ()
    _lengths: Optional[Tuple[str, ...]] = None  # the arguments that are lengths; None if unknown
    _parts: Tuple[str, ...] = ()  # the arguments that are schedules
    _periods: float = 8  # how many lengths to plot of a schedule that never ends
    _is_in_iterations: bool  # whether a check has shown that no length is a share of a training
    _declined = False
    _assigned_by: Any = None  # a weak reference to an optimizer, or _User; None if not assigned

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Restore the plain `__call__` and `_rates` in a user's class that overrides `_rate`."""
        super().__init_subclass__(**kwargs)
        if "_rate" in vars(cls) and cls.__module__.split(".")[0] != "gluon_lr":
            for name in ("__call__", "_rates"):
                if name not in vars(cls):
                    setattr(cls, name, vars(Schedule)[name])

    def __init__(self, base_lr: float = _DEFAULT) -> None:
        self.base_lr = _check.rate(type(self).__name__, "base_lr", base_lr)

    def __call__(self, num_update: float) -> float:
        """Return the learning rate of update `num_update` (iterations, from 1).

        A fraction is put into the formula as it is.
        """
        if type(num_update) is not int or num_update < 0 or not self._is_in_iterations:
            self.check_in_iterations()
            remedy = "For many iterations at once, call `values`." if np.ndim(num_update) else ""
            owner = type(self).__name__
            num_update = _check.iterations(owner, "num_update", num_update, 0, remedy)
        return self._rate(num_update)

    def values(self, iterations: Any) -> np.ndarray:
        """Return the rates of many iterations at once: float64, in the shape of `iterations`.

        They are the same as those of single calls. The numbers are at least 0, in any order.

        Raises
        ------
        TypeError, ValueError
            When one of `iterations` is not a finite number, or is negative.

        >>> from gluon_lr import CosineScheduler
        >>> CosineScheduler(max_update=4, base_lr=1).values([0, 2, 4, 100])
        array([1. , 0.5, 0. , 0. ])
        """
        from .foreign import rates

        self.check_in_iterations()
        return arrays.evaluate(type(self).__name__, functools.partial(rates, self), iterations)

    def plot(
        self,
        iterations: Optional[int] = None,
        ax: "Optional[Axes]" = None,
        show: bool = False,
    ) -> "Axes":
        """Draw the rates of iterations 1 to `iterations`, and return the matplotlib Axes.

        By default the whole schedule is drawn, or a typical part of one that never ends. With
        `show` the picture is also shown, even in a script.
        """
        from .plot import plot_schedule

        return plot_schedule(self, iterations, ax, show)

    def then(self, schedule: Callable[[int], float], after: float) -> "SequentialSchedule":
        """Follow this schedule up to iteration `after`, then `schedule` from its iteration 1."""
        from .compose import SequentialSchedule

        return SequentialSchedule(self, schedule, after)

    @overload
    def __mul__(self, other: float) -> "ScaledSchedule": ...

    @overload
    def __mul__(self, other: Callable[[int], float]) -> "ProductSchedule": ...

    def __mul__(
        self, other: Union[float, Callable[[int], float]]
    ) -> "Union[ScaledSchedule, ProductSchedule]":
        """Return this schedule with all rates multiplied by a factor, or by another schedule's."""
        from .algebra import ProductSchedule
        from .compose import ScaledSchedule

        return ProductSchedule(self, other) if callable(other) else ScaledSchedule(self, other)

    @overload
    def __rmul__(self, other: float) -> "ScaledSchedule": ...

    @overload
    def __rmul__(self, other: Callable[[int], float]) -> "ProductSchedule": ...

    def __rmul__(
        self, other: Union[float, Callable[[int], float]]
    ) -> "Union[ScaledSchedule, ProductSchedule]":
        from .algebra import ProductSchedule

        return ProductSchedule(other, self) if callable(other) else self * other

    def __truediv__(self, divisor: float) -> "ScaledSchedule":
        """Return this schedule with all rates divided by `divisor`, above 0."""
        from .compose import ScaledSchedule

        divisor = _check.real(type(self).__name__, "divisor", divisor, above=0)
        return ScaledSchedule(self, 1 / divisor)

    def __add__(self, other: Union[float, Callable[[int], float]]) -> "SumSchedule":
        """Return this schedule plus a constant rate, or plus the rates of another schedule."""
        from .algebra import SumSchedule

        return SumSchedule(self, other)

    def __radd__(self, other: Union[float, Callable[[int], float]]) -> "SumSchedule":
        from .algebra import SumSchedule

        return SumSchedule(other, self) if callable(other) else self + other

    def maximum(self, other: Union[float, Callable[[int], float]]) -> "MaximumSchedule":
        """Return a schedule with the higher rate of this schedule and another one."""
        from .algebra import MaximumSchedule

        return MaximumSchedule(self, other)

    def minimum(self, other: Union[float, Callable[[int], float]]) -> "MinimumSchedule":
        """Return a schedule with the lower rate of this schedule and another one."""
        from .algebra import MinimumSchedule

        return MinimumSchedule(self, other)

    def clip(self, low: float = 0, high: Optional[float] = None) -> "ClippedSchedule":
        """Return this schedule with all rates limited to the range from `low` to `high`."""
        from .compose import ClippedSchedule

        return ClippedSchedule(self, low, high)

    def in_epochs(self, iterations_per_epoch: float) -> "EpochSchedule":
        """Return a schedule of iterations, with the lengths of this schedule taken as epochs."""
        from .compose import EpochSchedule

        return EpochSchedule(self, iterations_per_epoch)

    def shifted(self, by: float) -> "ShiftedSchedule":
        """Return this schedule without its first `by` iterations."""
        from .counts import ShiftedSchedule

        return ShiftedSchedule(self, by)

    @property
    def natural_length(self) -> float:
        """Iterations until the schedule ends; infinite if it never ends or never changes.

        >>> from gluon_lr import CosineScheduler, FactorScheduler, LinearWarmUp
        >>> LinearWarmUp(CosineScheduler(900), start_lr=0, length=100).natural_length
        1000
        >>> FactorScheduler(step=100, factor=0.5).natural_length
        inf
        """
        length, ends = self._extent()
        return length if ends else math.inf

    def scaled_to(self, iterations: float) -> "Schedule":
        """Return this schedule with all its lengths stretched to a training of `iterations`.

        If the lengths are shares of the training (at most 1, which is all of it), they become
        iterations. Such a schedule has no rates before it is stretched. Otherwise the schedule
        must have an end, which moves to `iterations`.

        Raises
        ------
        TypeError, ValueError
            If `iterations` is not a finite number above 0, or if the schedule has neither an end
            nor lengths that are shares.

        >>> from gluon_lr import CosineScheduler, LinearWarmUp
        >>> LinearWarmUp(CosineScheduler(0.9), start_lr=0, length=0.1).scaled_to(2000)
        LinearWarmUp(schedule=CosineScheduler(max_update=1800), start_lr=0.0, length=200)
        >>> LinearWarmUp(CosineScheduler(45), start_lr=0, length=5).scaled_to(2000)
        LinearWarmUp(schedule=CosineScheduler(max_update=1800), start_lr=0.0, length=200)
        """
        from .compose import stretched

        iterations = _check.length(type(self).__name__, "iterations", iterations)
        extent, all_lengths = self._extent(), self._all_lengths()
        return stretched(self, lengths.factor_to(iterations, all_lengths, extent, self))

    def continued(self, at: float, to: float) -> "ContinuedSchedule":
        """Follow this schedule up to iteration `at`, then move its end to `to`, without a jump.

        See :class:`ContinuedSchedule`.

        Raises
        ------
        TypeError, ValueError
            If an argument is outside its bounds, or if the schedule has no end to move.

        >>> from gluon_lr import CosineScheduler
        >>> schedule = CosineScheduler(max_update=1000, base_lr=1).continued(at=500, to=750)
        >>> [round(schedule(n), 6) for n in (500, 625, 750)]
        [0.5, 0.146447, 0.0]
        """
        from .counts import ContinuedSchedule

        self.check_in_iterations()
        length, ends = self._extent()
        if not ends:
            remedy = "Use CoolDown to add an end to a schedule without one."
            constraint = "called on a schedule that ends"
            raise ValueError(
                _check.message(type(self).__name__, "continued", constraint, self, remedy)
            )
        return ContinuedSchedule(self, at, to, length)

    def to_config(self) -> Dict[str, Any]:
        """Return the schedule as nested dictionaries that `json` can write.

        Raises
        ------
        ValueError
            If a part of it is not a schedule of this package or of MXNet, for example a function.

        >>> from gluon_lr import PolyScheduler
        >>> PolyScheduler(max_update=100, base_lr=0.1).to_config()
        {'class': 'PolyScheduler', 'arguments': {'max_update': 100, 'base_lr': 0.1}}
        """
        from .text import to_config

        return to_config(self)

    @classmethod
    def from_config(cls: Type[Self], config: Union[str, Mapping[str, Any]]) -> Self:
        """Return the schedule that a result of :meth:`to_config`, or its JSON text, describes.

        Raises
        ------
        TypeError, ValueError
            If `config` is anything else; the message names the place of the error.
        """
        from .text import from_config

        schedule = from_config(config)
        if not isinstance(schedule, cls):
            constraint = f"the config of a {cls.__name__}"
            raise ValueError(_check.message("from_config", "config", constraint, config))
        return schedule

    def __setattr__(self, name: str, value: Any) -> None:
        if not hasattr(self, "_is_in_iterations"):
            object.__setattr__(self, "_is_in_iterations", False)
        is_new = not hasattr(self, name) and not hasattr(type(self), name)
        if is_new or name.startswith("_"):
            object.__setattr__(self, name, value)
        elif name == "base_lr" and hasattr(self, name):
            before = self.base_lr
            object.__setattr__(self, name, value)
            self._note_assignment(before)
        elif name in self._names() and all(hasattr(self, one) for one in self._names()):
            self._become({**self._given(), name: value})
        else:
            self._set_other(name, value)

    def _set_other(self, name: str, value: Any) -> None:
        """Assign an attribute that is not an argument; refuse one that arguments determine."""
        of_class = getattr(type(self), name, None)
        if isinstance(of_class, property) and of_class.fset is None:
            arguments = ", ".join(self._names())
            raise AttributeError(
                f"{type(self).__name__}: `{name}` is read-only, because the arguments determine "
                f"it; got {value!r}. Assign to an argument instead: {arguments}."
            )
        object.__setattr__(self, name, value)

    def _names(self) -> Tuple[str, ...]:
        """Return the names of the arguments that this package's constructor takes."""
        cls: Any = type(self)
        return _constructor_of(cls)[1]

    def _given(self) -> Dict[str, Any]:
        """Return the arguments of this package's constructor by name."""
        return {name: getattr(self, name) for name in self._names()}

    def _become(self, arguments: Dict[str, Any]) -> None:
        """Run this package's constructor with `arguments`, which checks them; copy its fields."""
        cls: Any = type(self)
        constructor, _ = _constructor_of(cls)
        anew = cls.__new__(cls)
        constructor(anew, **arguments)
        self.__dict__.update(vars(anew))

    def _note_assignment(self, before: float) -> None:
        """Remember who assigned `base_lr`, and warn if the assignment seems unintended."""
        earlier, optimizer = self._assigned_by, _check.assigning_optimizer()
        self._assigned_by = _User if optimizer is None else weakref.ref(optimizer)
        if optimizer is None or self.base_lr == before:
            return
        name, kind = type(self).__name__, type(optimizer).__name__
        moved = f"{name}: `base_lr` changes from {before:g} to {self.base_lr:g}, "
        first = earlier() if isinstance(earlier, weakref.ref) else None
        stated = earlier is _User or (earlier is None and before != _DEFAULT)
        if first is not None:
            _warn_once(
                optimizer,
                f"{moved}the learning_rate of a second optimizer, {kind}. This also changes the "
                f"rates of the first optimizer, {type(first).__name__}. Pass each optimizer its "
                "own copy: copy.copy(schedule).",
            )
        elif stated and self.base_lr == _default_rate(optimizer):
            _warn_once(
                optimizer,
                f"{moved}the default learning_rate of {kind}. To keep {before:g}, pass "
                f"learning_rate={before:g} to {kind}.",
            )

    def _rate(self, n: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define _rate(n)")

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return arrays.one_by_one(self._rate, n)

    def _own_lengths(self) -> List[float]:
        """Return the lengths among the arguments, in iterations or as shares of a training."""
        if self._lengths is None:
            return [lengths.UNKNOWN]
        return lengths.flattened(getattr(self, name) for name in self._lengths)

    def _all_lengths(self) -> List[float]:
        """Return the lengths in this schedule and in its parts."""
        from .foreign import lengths_in

        parts = [lengths_in(getattr(self, name)) for name in self._parts]
        return sum(parts, self._own_lengths())

    def _extent(self) -> Extent:
        """Return the extent of this schedule."""
        known = [length for length in self._own_lengths() if length != lengths.UNKNOWN]
        return Extent(self._periods * max(known, default=0), ends=False)

    def _stretched(self, factor: float) -> "Schedule":
        """Return this schedule with all lengths multiplied by `factor`."""
        from .compose import stretched

        given = self._given()
        for name in self._lengths or ():
            given[name] = lengths.times(given[name], factor)
        for name in self._parts:
            given[name] = stretched(given[name], factor)
        return type(self)(**given)

    def check_in_iterations(self) -> None:
        """Raise a ValueError if lengths are shares of a training of unknown length."""
        if not self._is_in_iterations:
            if lengths.are_shares(self._all_lengths()) or self._has_shares():
                raise ValueError(lengths.must_be_scaled(self))
            self._is_in_iterations = True

    def _has_shares(self) -> bool:
        """Return whether a length is below 1 and makes no sense as a number of iterations."""
        from .foreign import has_shares

        names = [name for name in self._lengths or () if name not in lengths.MAY_BE_LESS]
        own = lengths.flattened(getattr(self, name) for name in names)
        return min(own, default=1) < 1 or any(has_shares(getattr(self, n)) for n in self._parts)

    def _derive(self) -> None:
        """Set the attributes named in `_derived`, which are computed from the arguments."""

    def _decline_base_lr(self, value: float) -> None:
        """Warn once when another rate is assigned: this schedule keeps its own."""
        if value == self.base_lr or self._declined:
            return
        self._declined = True
        name = type(self).__name__
        _check.warn_caller(
            f"{name}: `base_lr` stays {self.base_lr:g}, because the arguments of the schedule "
            f"determine it; the assigned {value!r} is not used. An optimizer assigns its "
            f"learning_rate, even the default: pass learning_rate={self.base_lr:g} to the "
            f"optimizer, or change the {name}."
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
        left_out = ("_assigned_by", "_is_in_iterations", *self._derived)
        return {name: value for name, value in vars(self).items() if name not in left_out}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state, _is_in_iterations=False)
        self._derive()


class BoundedSchedule(Schedule):
    """A schedule that sets its own bounds: `base_lr` reads as its peak and cannot be changed."""

    def __init__(self) -> None:
        """Set no `base_lr`: it follows from the bounds of the subclass."""

    @property
    def base_lr(self) -> float:
        """The highest rate of the schedule; assigning another rate only warns."""
        return self._peak()

    @base_lr.setter
    def base_lr(self, value: float) -> None:
        self._decline_base_lr(value)

    def _peak(self) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define _peak()")
