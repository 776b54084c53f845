"""Curves over a position from 0 to 1, for any hyper-parameter, with fastai's names.

Start, end and position are numbers or arrays, which broadcast. The curves are exact at 0 and at
1, and continue outside. With a length, a schedule is such a curve too: `ScheduledCurve`.
"""

import math
from typing import Any, Callable, Dict, List, Optional, Sequence, Type

import numpy as np

from .. import _check
from .._mxnet import mx
from ..schedules import Schedule, foreign, text
from ..schedules.base import HasValues
from ..schedules.compose import stretched

Curve = Callable[[Any], Any]

_ROUNDING = 1e-12  # rounding error of positions and of sums of shares
_NEAR_WHOLE = 1e-6  # largest rounding error of an update number

__all__ = [
    "Annealer",
    "CombinedAnnealer",
    "SchedCos",
    "SchedExp",
    "SchedLin",
    "SchedNo",
    "SchedPoly",
    "ScheduledCurve",
    "annealer",
    "combine_scheds",
    "combined_cos",
    "from_config",
    "position_of",
    "sched_cos",
    "sched_exp",
    "sched_lin",
    "sched_no",
    "sched_poly",
    "to_config",
]


def sched_lin(start: Any, end: Any, pos: Any) -> Any:
    """Return ``start + pos * (end - start)``."""
    return _exact_at_one(pos, end, start + pos * (end - start))


def sched_cos(start: Any, end: Any, pos: Any) -> Any:
    """Return ``start + (1 + cos(pi * (1 - pos))) * (end - start) / 2``."""
    cos = math.cos if isinstance(pos, (float, int)) else np.cos
    return sched_lin(start, end, (1 + cos(math.pi * (1 - pos))) / 2)


def sched_no(start: Any, end: Any, pos: Any) -> Any:
    """Return `start`, whatever `pos` is."""
    return start + 0 * pos


def sched_exp(start: Any, end: Any, pos: Any) -> Any:
    """Return ``start * (end / start) ** pos``; both are above 0."""
    return _exact_at_one(pos, end, start * (end / start) ** pos)


def sched_poly(start: Any, end: Any, pos: Any, power: float) -> Any:
    """Return ``start + (end - start) * pos ** power``."""
    return sched_lin(start, end, pos**power)


class _Curve(HasValues):
    """A value at each position. Curves of the same class with the same arguments are equal."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _arguments(self) == _arguments(other)

    __hash__ = None  # type: ignore[assignment]


class Annealer(_Curve):
    """A curve from `start` at position 0 to `end` at position 1.

    A subclass defines the function (start, end, pos) as its attribute `curve`.

    Parameters
    ----------
    start, end : float or array
        Finite; a sequence becomes an array, for example with one curve per parameter group.

    Raises
    ------
    TypeError, ValueError
        If an argument is anything else.
    """

    curve: Callable[..., Any]

    def __init__(self, start: Any, end: Any) -> None:
        self.start = self._number("start", start)
        self.end = self._number("end", end)
        shapes = np.shape(self.start), np.shape(self.end)
        if all(shapes) and shapes[0] != shapes[1]:
            constraint = f"a number or an array with the shape of `start`, {shapes[0]}"
            raise ValueError(_check.message(type(self).__name__, "end", constraint, end))

    def __call__(self, pos: Any) -> Any:
        """Return the value at `pos`."""
        return type(self).curve(self.start, self.end, pos)

    def _number(self, argument: str, value: Any) -> Any:
        return _number_or_array(type(self).__name__, argument, value)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in _arguments(self).items())
        return f"{type(self).__name__}({arguments})"


def annealer(f: Callable[[Any, Any, Any], Any]) -> Type[Annealer]:
    """Turn a function of (start, end, pos) into an :class:`Annealer` class of (start, end).

    >>> @annealer
    ... def SchedSquare(start, end, pos):
    ...     return start + pos**2 * (end - start)
    >>> SchedSquare(1, 3)(0.5)
    1.5
    """
    names = ("__module__", "__qualname__", "__doc__")
    fields: Dict[str, Any] = {name: getattr(f, name, None) for name in names}
    return type(f.__name__, (Annealer,), {**fields, "curve": staticmethod(f)})


class SchedLin(Annealer):
    """A straight line: :func:`sched_lin` from `start` to `end`.

    >>> SchedLin(1, 3)(0.25)
    1.5
    """

    curve = staticmethod(sched_lin)


class SchedCos(Annealer):
    """Half a cosine: :func:`sched_cos` from `start` to `end`.

    Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016,
    https://arxiv.org/abs/1608.03983.

    >>> SchedCos(1, 3)(0.5)
    2.0
    >>> SchedCos([0.0, 1.0], [1.0, 3.0])(0.5)  # one curve a parameter group
    array([0.5, 2. ])
    """

    curve = staticmethod(sched_cos)


class SchedNo(Annealer):
    """A constant: `start` at every position.

    >>> SchedNo(1, 3)(0.5)
    1.0
    """

    curve = staticmethod(sched_no)


class SchedExp(Annealer):
    """A geometric curve: :func:`sched_exp` from `start` to `end`, both above 0.

    >>> round(SchedExp(0.01, 1)(0.5), 12)
    0.1
    """

    curve = staticmethod(sched_exp)

    def _number(self, argument: str, value: Any) -> Any:
        number = super()._number(argument, value)
        if not np.all(np.asarray(number) > 0):
            raise ValueError(_check.message(type(self).__name__, argument, "above 0", value))
        return number


class SchedPoly(Annealer):
    """A polynomial: :func:`sched_poly` from `start` to `end`.

    Parameters
    ----------
    start, end : float or array
        Finite.
    power : float
        Power of the position, above 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> SchedPoly(1, 3, power=2)(0.5)
    1.5
    """

    def __init__(self, start: Any, end: Any, power: float) -> None:
        super().__init__(start, end)
        self.power = _check.real(type(self).__name__, "power", power, above=0)

    def __call__(self, pos: Any) -> Any:
        """Return the value at `pos`."""
        return sched_poly(self.start, self.end, pos, self.power)


class CombinedAnnealer(_Curve):
    """Curves one after another, each over its share of the positions.

    A boundary belongs to the later curve. A curve with share 0 is skipped, except at position 1:
    there the last curve always gives its end.

    Parameters
    ----------
    pcts : sequence of float
        The shares, at least 0; their sum is 1.
    scheds : sequence of callable
        Functions that map a position to a value, or schedules; as many as `pcts`.

    Raises
    ------
    TypeError, ValueError
        If an argument is anything else.

    >>> there_and_back = CombinedAnnealer([0.25, 0.75], [SchedLin(0, 1), SchedLin(1, 0)])
    >>> [there_and_back(pos) for pos in (0, 0.125, 0.25, 1)]
    [0.0, 0.5, 1.0, 0.0]
    """

    def __init__(self, pcts: Sequence[float], scheds: Sequence[Curve]) -> None:
        owner = "combine_scheds"
        self.pcts = [_check.real(owner, "pcts", pct, minimum=0) for pct in pcts]
        self.scheds = [as_curve(sched) for sched in scheds]
        if not self.pcts or abs(math.fsum(self.pcts) - 1) > 1e-9:
            raise ValueError(_check.message(owner, "pcts", "shares that sum to 1", pcts))
        if len(self.scheds) != len(self.pcts):
            constraint = f"{len(self.pcts)} curves, one for each share in `pcts`"
            raise ValueError(_check.message(owner, "scheds", constraint, len(self.scheds)))
        for sched in self.scheds:
            _check.is_function(owner, "scheds", sched, "callable with a position")
        self._starts = [math.fsum(self.pcts[:part]) for part in range(len(self.pcts))]
        self._reached = [
            start - _ROUNDING if start > _ROUNDING else start for start in self._starts
        ]

    def updates(self, length: float) -> List[float]:
        """Return how many of `length` updates each curve has; 1 if its share is 0."""
        return [pct * length or 1 for pct in self.pcts]

    def __call__(self, pos: Any) -> Any:
        """Return the value at `pos`."""
        if isinstance(pos, np.ndarray):
            return self._each(pos)
        reached = [part for part, start in enumerate(self._reached) if pos >= start]
        part = max(reached, default=0)
        return self.scheds[part](self._within(part, pos))

    def _each(self, pos: np.ndarray) -> np.ndarray:
        values = self.scheds[0](self._within(0, pos))
        for part, start in enumerate(self._reached[1:], start=1):
            later = pos >= start
            inside = np.where(later, self._within(part, pos), 0)
            values = np.where(later, self.scheds[part](inside), values)
        return values

    def _within(self, part: int, pos: Any) -> Any:
        start, end = [*self._starts, 1.0][part : part + 2]
        if end == start:
            return 1.0 + 0 * pos
        inside = (pos - start) / (end - start)
        if part == 0:
            return inside
        return np.maximum(inside, 0) if isinstance(pos, np.ndarray) else max(inside, 0.0)

    def __repr__(self) -> str:
        return f"combine_scheds({self.pcts!r}, {self.scheds!r})"


def combine_scheds(pcts: Sequence[float], scheds: Sequence[Curve]) -> CombinedAnnealer:
    """Return curves one after another (fastai's name for it): see :class:`CombinedAnnealer`."""
    return CombinedAnnealer(pcts, scheds)


def combined_cos(pct: float, start: Any, middle: Any, end: Any) -> CombinedAnnealer:
    """Move from `start` to `middle` over the share `pct` of the positions, then to `end`.

    Both parts are half a cosine. The values are numbers or arrays.

    Raises
    ------
    TypeError, ValueError
        If `pct` is not from 0 to 1, or if another argument is not finite.

    >>> cycle = combined_cos(0.25, 0.1, 1.0, 0.0)
    >>> [cycle(pos) for pos in (0, 0.25, 0.625, 1)]
    [0.1, 1.0, 0.5, 0.0]
    """
    pct = _check.real("combined_cos", "pct", pct, minimum=0, maximum=1)
    return combine_scheds([pct, 1 - pct], [SchedCos(start, middle), SchedCos(middle, end)])


class ScheduledCurve(_Curve):
    """A schedule as a curve, for any hyper-parameter. The inverse is :class:`AnnealedSchedule`.

        curve(pos) = schedule(1 + pos * length)

    Parameters
    ----------
    schedule : callable
        Maps an iteration to a value: any schedule of this package or of MXNet. A schedule in
        shares of a training is stretched to `length`.
    length : float, optional
        Iterations from position 0 to 1, above 0. A ParamScheduler or a fit sets its own.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import PolyScheduler
    >>> curve = ScheduledCurve(PolyScheduler(5, base_lr=1, pwr=1), length=4)
    >>> [curve(pos) for pos in (0, 0.5, 1)]
    [0.8, 0.4, 0.0]
    """

    def __init__(self, schedule: Callable[[int], float], length: Optional[float] = None) -> None:
        name = type(self).__name__
        self.schedule = foreign.as_ours(foreign.check_schedule(name, schedule))
        self.length = None if length is None else _check.length(name, "length", length)
        asked = self.schedule
        if self.needs_length:
            asked = stretched(asked, self.length or 1)
        elif isinstance(asked, Schedule):
            asked.check_in_iterations()
        self._value_at = foreign.asked(asked)

    @property
    def needs_length(self) -> bool:
        """Whether its values depend on the length of the training."""
        return foreign.is_in_shares(self.schedule)

    @property
    def counts_updates(self) -> bool:
        """Whether it gives the values of its schedule's iterations, whatever the length is."""
        return self.length is None and not self.needs_length

    def __call__(self, pos: Any) -> Any:
        """Return the value at `pos`, a number or an array."""
        if self.length is None:
            raise RuntimeError("ScheduledCurve: `length` is not set. Pass it, in updates.")
        if isinstance(pos, np.ndarray):
            return np.vectorize(self, otypes=[float])(pos)
        n = max(1 + pos * self.length, 0)
        return self.at(round(n) if abs(n - round(n)) < _NEAR_WHOLE else n)

    def at(self, n: float) -> float:
        """Return the value at update `n`, from 1."""
        return self._value_at(n)

    def __repr__(self) -> str:
        length = "" if self.length is None else f", length={self.length}"
        return f"ScheduledCurve({self.schedule!r}{length})"


def as_curve(curve: Any) -> Any:
    """Return a schedule, ours or MXNet's, as a :class:`ScheduledCurve`; anything else unchanged."""
    return ScheduledCurve(curve) if isinstance(curve, mx.lr_scheduler.LRScheduler) else curve


def over_updates(curves: Any, length: float) -> Any:
    """Return a curve, or a list of them, with `length` updates if it has no length yet."""
    if isinstance(curves, (list, tuple)):
        return [over_updates(one, length) for one in curves]
    if isinstance(curves, CombinedAnnealer):
        parts = [over_updates(*part) for part in zip(curves.scheds, curves.updates(length))]
        return CombinedAnnealer(curves.pcts, parts)
    if isinstance(curves, ScheduledCurve) and curves.length is None:
        return ScheduledCurve(curves.schedule, length)
    return curves


def position_of(n: float, length: float) -> float:
    """Return the position of update `n`, from 1, of `length` updates: ``(n - 1) / length``."""
    return min(max(n - 1, 0) / length, 1.0)


def to_config(curve: Curve) -> Dict[str, Any]:
    """Return a curve of this module as nested dictionaries that `json` can write.

    Raises
    ------
    ValueError
        If it, or a part of it, is a function or a class of another module.

    >>> to_config(SchedLin(1, 3))
    {'class': 'SchedLin', 'arguments': {'start': 1.0, 'end': 3.0}}
    """
    name = type(curve).__name__
    if _CLASSES.get(name) is not type(curve):
        remedy = "Use one of these: other curves work in a training, but cannot be saved as data."
        constraint = "a curve of gluon_lr.annealing"
        raise ValueError(_check.message("to_config", "curve", constraint, curve, remedy))
    if isinstance(curve, CombinedAnnealer):
        parts = [to_config(sched) for sched in curve.scheds]
        return {"class": name, "arguments": {"pcts": curve.pcts, "scheds": parts}}
    if isinstance(curve, ScheduledCurve):
        schedule = text.to_config(curve.schedule)
        return {"class": name, "arguments": {"schedule": schedule, "length": curve.length}}
    return {"class": name, "arguments": _arguments(curve)}


def from_config(config: Dict[str, Any]) -> Curve:
    """Return the curve that `config`, a result of :func:`to_config`, describes.

    Raises
    ------
    TypeError, ValueError
        If `config` is anything else.
    """
    try:
        make, arguments = _CLASSES[config["class"]], dict(config["arguments"])
        if make is CombinedAnnealer:
            arguments["scheds"] = [from_config(part) for part in arguments["scheds"]]
        elif make is ScheduledCurve:
            arguments["schedule"] = text.from_config(arguments["schedule"])
        return make(**arguments)
    except (KeyError, TypeError):
        constraint = "what to_config returns"
        raise ValueError(_check.message("from_config", "config", constraint, config)) from None


_CLASSES: Dict[str, Any] = {
    made.__name__: made
    for made in (
        SchedLin,
        SchedCos,
        SchedNo,
        SchedExp,
        SchedPoly,
        CombinedAnnealer,
        ScheduledCurve,
    )
}


def _exact_at_one(pos: Any, end: Any, value: Any) -> Any:
    """Return `value`, but exactly `end` at position 1, without a rounding error."""
    if isinstance(pos, np.ndarray) or isinstance(value, np.ndarray):
        return np.where(np.equal(pos, 1), end, value)
    return end if pos == 1 else value


def _arguments(curve: Any) -> Dict[str, Any]:
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(curve).items()
        if not name.startswith("_")
    }


def _number_or_array(owner: str, argument: str, value: Any) -> Any:
    if isinstance(value, (list, tuple, np.ndarray)) and np.ndim(value) > 0:
        try:
            array = np.array(value, dtype=np.float64)
        except (OverflowError, TypeError, ValueError):
            array = np.array(np.nan)
        if not np.isfinite(array).all():
            constraint = "a finite number or an array of them"
            raise ValueError(_check.message(owner, argument, constraint, value))
        return array
    return _check.real(owner, argument, value)
