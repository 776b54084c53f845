"""The scheduler that moves a Trainer's hyper-parameters along curves, update by update."""

from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np

from .. import _check, _trainer, plotting
from .._mxnet import mx
from ..events import Callback, event
from ..schedules.plot import shown_length
from .annealed import AnnealedSchedule
from .annealing import Curve, ScheduledCurve, as_curve, over_updates, position_of
from .parameters import HyperParameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curves = Union[Curve, Sequence[Curve]]

_ANY = 1000  # length in updates to check a value before the real length is known


class ParamScheduler(Callback):
    """Move hyper-parameters of a trainer along curves, each from position 0 to 1.

        value(n) = curve((n - 1) / length)    1 <= n <= length
        value(n) = curve(1)                   n > length

    The first of `length` updates is exactly at the start, as in fastai. Call :meth:`step` before
    each step of the trainer, or pass the scheduler to a fit of the Learner as one of `cbs`. A fit
    also saves the curves in its checkpoints. But a fit only calls the events of a subclass that
    overrides something here, so pass it to ``resume`` again.

    Parameters
    ----------
    scheds : dict
        Maps the name of a hyper-parameter (:class:`HyperParameters`: lr, mom, wd, sqr_mom, eps,
        or an attribute of the optimizer) to a curve of :mod:`gluon_lr.annealing`, or to any
        function of a position. The curve returns one number, or one per parameter group. You can
        also pass a list of curves, one per group. A schedule, of this package or of MXNet, gives
        the values of its iterations. If a fit moves its end, the schedule moves with it.
    trainer : mx.gluon.Trainer, optional
        To move the rate, it must have no lr_scheduler. A Learner passes its own.
    length : int, optional
        Length of the curves, in updates, at least 1. A fit sets its own. Schedules in iterations
        need none.
    groups : sequence, optional
        Parameter groups, as in :class:`HyperParameters`.
    momentum_correction : bool
        MXNet's SGD and NAG store their momentum multiplied by the rate, so after a jump of the
        rate the weights still move with the old rate. If True, the momentum is multiplied by
        ``lr(n) / lr(n - 1)`` before each update, so they train like PyTorch's and fastai's. A
        rate of 0 clears the momentum. (Goyal et al., "Accurate, Large Minibatch SGD", 2017,
        https://arxiv.org/abs/1706.02677, section 2.1.)

    Attributes
    ----------
    hps : dict
        For each hyper-parameter, its values in the last group, one per batch. The event
        :meth:`after_batch` adds them, if a fit calls it. The learner's recorder has all values.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds, or if the optimizer does not have a name; the
        message lists the names that it has.

    >>> import mxnet as mx
    >>> from gluon_lr.annealing import SchedLin, combined_cos
    >>> net = mx.gluon.nn.Dense(1, in_units=1)
    >>> net.initialize()
    >>> trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"momentum": 0.9})
    >>> scheds = {"lr": combined_cos(0.25, 0.1, 1, 0), "mom": SchedLin(0.95, 0.85)}
    >>> scheduler = ParamScheduler(scheds, trainer, length=100)
    >>> scheduler.step(26)
    >>> trainer.learning_rate, round(trainer.optimizer.momentum, 6)
    (1.0, 0.925)
    """

    def __init__(
        self,
        scheds: Mapping[str, Curves],
        trainer: Optional[mx.gluon.Trainer] = None,
        length: Optional[int] = None,
        groups: Optional[Sequence[Any]] = None,
        momentum_correction: bool = False,
    ) -> None:
        name = type(self).__name__
        if not isinstance(scheds, Mapping):
            constraint = (
                "a dict of hyper-parameters and their curves, for example {'lr': SchedCos(0.1, 0)}"
            )
            raise TypeError(_check.message(name, "scheds", constraint, scheds))
        for curves in scheds.values():
            for curve in curves if isinstance(curves, (list, tuple)) else [curves]:
                if isinstance(curve, type) or not callable(curve):
                    constraint = (
                        "a dict whose values are curves, for example SchedCos(0.1, 0), schedules "
                        "or functions of a position"
                    )
                    raise TypeError(_check.message(name, "scheds", constraint, scheds))
        self.scheds = _each_of(scheds, as_curve)
        self._of_length: Optional[Mapping[str, Curves]] = None  # for the length of the fit
        self.length = None if length is None else _check.integer(name, "length", length, 1)
        self.groups = groups
        self.momentum_correction = momentum_correction
        if momentum_correction and "lr" not in self.scheds:
            constraint = "a dict with a curve for 'lr' if `momentum_correction` is True"
            raise ValueError(_check.message(name, "scheds", constraint, list(self.scheds)))
        self.hps: Dict[str, List[float]] = {}
        self._corrects = momentum_correction
        self._hypers: Optional[HyperParameters] = None
        self._counter: Optional[_trainer.UpdateCounter] = None
        self._rates: Optional[List[float]] = None
        self._of_fit: Optional[Callable[[int], Sequence[Sequence[float]]]] = None
        if trainer is not None:
            self.bind(trainer)

    def bind(self, trainer: mx.gluon.Trainer) -> None:
        """Use `trainer`: later steps set its hyper-parameters.

        Raises
        ------
        TypeError, ValueError
            In the same cases as the constructor.
        """
        hypers = HyperParameters(trainer, self.groups)
        self.check(hypers)
        if self.scheds:
            _trainer.check_updates_here(type(self).__name__, trainer)
        if "lr" in self.scheds:
            hypers.check_no_lr_scheduler()
        if self._corrects:
            hypers.scale_momentum([1.0] * len(hypers.groups))
        for name in self.scheds:
            hypers.keep(name)
        self._hypers = hypers
        self._counter = self._rates = None

    def check(self, hypers: HyperParameters) -> None:
        """Raise a ValueError if a name or a value of a curve does not fit `hypers`."""
        for name, curves in self.scheds.items():
            hypers.attribute(name)
            hypers.by_group(name, _values(over_updates(curves, self.length or _ANY), 0.0))

    @event
    def before_fit(self, learner: Any = None) -> None:
        """Use the fit's trainer and groups, and start to record the values."""
        learner = learner or self.learn
        self.hps = {name: [] for name in self.scheds}
        self.groups = learner.groups
        self._corrects = learner.momentum_correction and "lr" in self.scheds
        self.follow(learner.positions_of)
        self.bind(learner.trainer)
        if len(learner.recorder):
            self.go_on_from(learner.recorder.last_hps)

    @event
    def before_batch(self, learner: Any = None) -> None:
        """Set the trainer's values for its next update."""
        n, self.length = (learner or self.learn).place_in_fit
        if self._of_length is None or n == 1:
            self._of_length = _each_of(self.scheds, partial(over_updates, length=self.length))
        self.assign(n)

    @event
    def after_batch(self, learner: Any = None) -> None:
        """Record the current values of the trainer."""
        for name, values in self.hps.items():
            values.append(self._of_trainer[name][-1])

    @event
    def after_fit(self, learner: Any = None) -> None:
        """Do nothing: the learner's recorder already has the values of each update."""

    def follow(self, positions_of: Callable[[int], Sequence[Sequence[float]]]) -> None:
        """Take the positions on the curves from a fit.

        Parameters
        ----------
        positions_of : callable
            Maps an update number to pairs of a position and a weight. The value of the update is
            the weighted sum of the values at these positions.
        """
        self._of_fit = positions_of

    def leave_fit(self) -> None:
        """Restore the trainer's own values, and forget the fit."""
        self.put_back()
        self._hypers = self._rates = self.length = self.groups = None
        self._of_fit = self._of_length = None
        self._corrects = self.momentum_correction

    @property
    def acts_by_events(self) -> bool:
        """Whether a subclass overrides something, so that a fit only calls its events."""
        others = [one for one in type(self).__mro__ if one not in ParamScheduler.__mro__]
        names = {name for one in others for name in vars(one) if not name.startswith("__")}
        names |= {name for name, value in vars(self).items() if callable(value)} - {"learn"}
        return not names.isdisjoint(dir(ParamScheduler))

    @property
    def is_of_curves_alone(self) -> bool:
        """Whether only curves were passed, and a fit decides everything else."""
        given = (self.length, self.groups, self._hypers)
        return not self.momentum_correction and all(one is None for one in given)

    @property
    def position(self) -> int:
        """The number of updates since the first step, without those that AMP skipped."""
        return 0 if self._counter is None else self._counter.count

    def at(self, n: int) -> Dict[str, Any]:
        """Return the values of update `n`, from 1, by name, without changing anything.

        Raises
        ------
        RuntimeError
            If there is no `length`, unless all curves are schedules in iterations.
        """
        if self._of_fit is None:
            return self._at(n, self.length)
        scheds, positions = self._of_length or self.scheds, self._of_fit(n)
        return {name: _mixed(curves, positions) for name, curves in scheds.items()}

    def _at(self, n: int, length: Optional[int]) -> Dict[str, Any]:
        return _each_of(self.scheds, partial(_at_update, n=n, length=length))

    def step(self, n: Optional[int] = None) -> None:
        """Set the trainer's values for its next update.

        Parameters
        ----------
        n : int, optional
            Number of the update, from 1. By default, one more than the number of updates since
            the first call.

        Raises
        ------
        RuntimeError
            If there is no `trainer` or no `length`.
        TypeError, ValueError
            If `n` is not an integer of at least 1, if a value is not finite, or if an optimizer
            would divide by a rate of 0.
        """
        n = self.position + 1 if n is None else _check.integer("ParamScheduler.step", "n", n, 1)
        self.assign(n)
        if self._hypers is not None:
            _trainer.check_rates(type(self).__name__, self._hypers.trainer)
        self.correct_momentum(n)

    def assign(self, n: int) -> None:
        """Set the trainer's values for update `n`, without correcting its momentum."""
        hypers = self._of_trainer
        values = {name: hypers.by_group(name, value) for name, value in self.at(n).items()}
        for name, by_group in values.items():
            hypers.assign(name, by_group)
        self._counter = _trainer.UpdateCounter(hypers.trainer, start=n - 1)

    def correct_momentum(self, n: int) -> None:
        """Scale the momentum to the rate of update `n`, the next one, if correction is on."""
        hypers = self._hypers
        if hypers is None or not self._corrects:
            return
        rates = hypers["lr"]
        before, self._rates = self._rates, rates
        if before is None and n > 1:
            before = hypers.by_group("lr", self.at(n - 1)["lr"])
        if before is not None:
            pairs = zip(rates, before)
            hypers.scale_momentum([new / old if old else 1.0 for new, old in pairs])

    def go_on_from(self, values: Mapping[str, List[float]]) -> None:
        """Set the trainer's values to those of its last update, by name and group."""
        if self._hypers is not None:
            for name in self.scheds:
                self._hypers.assign(name, values[name])
            self._rates = values.get("lr")

    def put_back(self) -> None:
        """Restore the trainer's values from before the first step."""
        if self._hypers is not None:
            self._hypers.put_back()

    def as_lr_scheduler(self) -> AnnealedSchedule:
        """Return the curve of the rate as a schedule, for `Optimizer(lr_scheduler=...)`.

        Raises
        ------
        ValueError
            If it moves more than the rate, has one curve per group, or has no length.
        """
        curve = over_updates(self.scheds.get("lr"), self.length or _ANY)
        if list(self.scheds) != ["lr"] or not callable(curve) or np.ndim(curve(0.0)):
            constraint = (
                "{'lr': curve}, with one curve for all groups, if it is used as an lr_scheduler"
            )
            raise ValueError(_check.message("ParamScheduler", "scheds", constraint, self.scheds))
        if self.length is None:
            constraint = "given if it is used as an lr_scheduler"
            raise ValueError(_check.message("ParamScheduler", "length", constraint, None))
        return AnnealedSchedule(curve, self.length)

    def plot(
        self,
        keys: Union[str, Sequence[str], None] = None,
        figsize: Any = None,
        show: bool = False,
    ) -> "List[Axes]":
        """Draw the values of all updates, only of `keys` if given; return the matplotlib Axes."""
        length = self.length or self._natural_length
        at = self.at if self._of_fit else partial(self._at, length=length)
        each = [at(n) for n in range(1, length + 1)]
        values = {name: np.array([one[name] for one in each]) for name in self.scheds}
        return plotting.shown(plotting.plot_hyper_parameters(values, keys, figsize), show)

    @property
    def _natural_length(self) -> int:
        """How many updates to draw of schedules in iterations; 1 if there are other curves."""
        several = [one if isinstance(one, (list, tuple)) else [one] for one in self.scheds.values()]
        curves = [curve for one in several for curve in one]
        schedules = [one.schedule for one in curves if isinstance(one, ScheduledCurve)]
        return shown_length(schedules) if len(schedules) == len(curves) > 0 else 1

    @property
    def _of_trainer(self) -> HyperParameters:
        if self._hypers is None:
            raise RuntimeError(
                "ParamScheduler: `trainer` is not set. Pass it, or call super().before_fit() in "
                "your own before_fit."
            )
        return self._hypers

    def __repr__(self) -> str:
        length = "" if self.length is None else f", length={self.length}"
        return f"ParamScheduler({self.scheds!r}{length})"


def _each(function: Callable[[Any], Any], curves: Curves) -> Any:
    """Apply `function` to a curve, or to each of a list."""
    if isinstance(curves, (list, tuple)):
        return [function(one) for one in curves]
    return function(curves)


def _each_of(scheds: Mapping[str, Curves], function: Callable[[Any], Any]) -> Dict[str, Any]:
    return {name: _each(function, curves) for name, curves in scheds.items()}


def _at_update(curve: Curve, n: int, length: Optional[int]) -> Any:
    if isinstance(curve, ScheduledCurve) and curve.counts_updates:
        return curve.at(n)
    if length is None:
        raise RuntimeError("ParamScheduler: `length` is not set. Pass it, in updates.")
    return over_updates(curve, length)(position_of(n, length))


def _mixed(curves: Curves, positions: Sequence[Sequence[float]]) -> Any:
    """Return the weighted sum of the values at several positions."""
    if len(positions) == 1:
        return _values(curves, positions[0][0])
    mixed = sum(weight * np.asarray(_values(curves, position)) for position, weight in positions)
    return np.asarray(mixed).tolist()


def _values(curves: Curves, position: float) -> Any:
    if isinstance(curves, (list, tuple)):
        return [float(curve(position)) for curve in curves]
    return curves(position)  # type: ignore[operator]
