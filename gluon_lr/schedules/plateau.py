"""The schedule that depends on a metric. It has a state, which only `observe` changes."""

import math
from numbers import Real
from typing import Any, Dict, Mapping, NamedTuple, Optional

import numpy as np

from .. import _check
from .base import Schedule
from .decay import GeometricDecaySchedule

__all__ = [
    "PlateauScheduler",
]


class _State(NamedTuple):
    best: Optional[float]
    waited: int
    cooling: int
    reductions: int

    @classmethod
    def checked(cls, owner: str, state: Any) -> "_State":
        if not isinstance(state, Mapping) or set(state) != set(cls._fields):
            constraint = "the state of a PlateauScheduler, with " + ", ".join(cls._fields)
            raise ValueError(_check.message(owner, "state", constraint, state))
        best = state["best"]
        counts = [_check.integer(owner, f"state['{n}']", state[n], 0) for n in cls._fields[1:]]
        return cls(None if best is None else _check.real(owner, "state['best']", best), *counts)


def _number(owner: str, metric: Any) -> float:
    metric = _check.single(metric)
    if isinstance(metric, bool) or not isinstance(metric, Real):
        raise TypeError(_check.message(owner, "metric", "a number", metric))
    return float(metric)


class PlateauScheduler(GeometricDecaySchedule):
    """Multiply the rate by `factor` whenever an observed metric has stopped improving.

        lr(n) = max(base_lr * factor^k, stop_factor_lr)    k = the reductions so far, k >= 1
        lr(n) = base_lr                                    before the first reduction

    Call :meth:`observe` after each epoch, for example with the validation loss. A call for a rate
    does not change the state. A metric is an improvement if it is better than the best so far by
    more than `threshold`, a share of the best or a difference. NaN and infinities are not
    improvements. After `patience` observations without an improvement, the next one reduces the
    rate. The `cooldown` observations after a reduction are not counted.

    Call :meth:`observe` of the schedule that the optimizer uses. After ``trainer.load_states``
    this is the optimizer's ``lr_scheduler``, a copy of yours. If a KVStore updates the weights on
    a server, the server's copy gets no observations.

    Parameters
    ----------
    factor : float
        Factor of each reduction, from 0 to 1.
    patience : int
        How many observations without an improvement to accept, at least 0.
    mode : {'min', 'max'}
        Whether a lower or a higher metric is better.
    threshold : float
        By how much a metric must be better than the best one, at least 0.
    cooldown : int
        Observations after a reduction that are not counted, at least 0.
    stop_factor_lr : float
        Minimum rate of the reductions, at least 0.
    base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        The start of the decay and the warm-up to it, as in :class:`DecaySchedule`.
    state : dict, optional
        The :attr:`state` of another PlateauScheduler, to continue from it.
    threshold_mode : {'rel', 'abs'}
        Whether the threshold is a share of the best metric or a difference, as in torch.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = PlateauScheduler(factor=0.5, patience=1, base_lr=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.5):
    ...     schedule.observe(loss)
    >>> schedule(100), schedule.state
    (0.5, {'best': 2.0, 'waited': 0, 'cooling': 0, 'reductions': 1})
    """

    def __init__(
        self,
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "min",
        threshold: float = 1e-4,
        cooldown: int = 0,
        stop_factor_lr: float = 1e-8,
        base_lr: float = 0.01,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
        state: Optional[Mapping[str, Any]] = None,
        threshold_mode: str = "rel",
    ) -> None:
        super().__init__(
            factor, stop_factor_lr, base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        )
        name = type(self).__name__
        self.patience = _check.integer(name, "patience", patience, 0)
        self.mode = _check.one_of(name, "mode", mode, ["min", "max"])
        self.threshold = _check.real(name, "threshold", threshold, minimum=0)
        self.threshold_mode = _check.one_of(name, "threshold_mode", threshold_mode, ["rel", "abs"])
        self.cooldown = _check.integer(name, "cooldown", cooldown, 0)
        self._state = None if state is None else _State.checked(name, state)

    @property
    def state(self) -> Optional[Dict[str, Any]]:
        """The state after the observations so far, ready for JSON; None before the first one.

        `best` is the best metric, or None if there was no finite one. `waited` is the number of
        observations without an improvement, `cooling` the number of observations that are still
        not counted, and `reductions` the number of reductions of the rate.
        """
        return None if self._state is None else self._state._asdict()

    @property
    def lr(self) -> float:
        """The current rate of the decay, after all reductions so far, without the warm-up."""
        return self._decayed(0)

    def observe(self, metric: float) -> None:
        """Update the state with a metric: a number, or an array of one element.

        Raises
        ------
        TypeError
            When `metric` is not a number.
        """
        value = _number(type(self).__name__, metric)
        best, waited, cooling, reductions = self._state or (None, 0, 0, 0)
        improved = self._is_better(value, best)
        if improved:
            best = value
        if improved or cooling:
            waited, cooling = 0, max(cooling - 1, 0)
        elif waited < self.patience:
            waited += 1
        else:
            waited, cooling, reductions = 0, self.cooldown, reductions + 1
        self._state = _State(best, waited, cooling, reductions)

    def _is_better(self, metric: float, best: Optional[float]) -> bool:
        if not math.isfinite(metric):
            return False
        if best is None:
            return True
        margin = self.threshold * (abs(best) if self.threshold_mode == "rel" else 1)
        return metric < best - margin if self.mode == "min" else metric > best + margin

    def _decayed(self, n: float) -> float:
        return self._after(self._state.reductions if self._state else 0)

    def _decayed_each(self, n: np.ndarray) -> np.ndarray:
        return np.full(n.shape, self._decayed(0))


def listens(schedule: Any) -> bool:
    """Return whether a schedule, or one inside it, depends on a metric."""
    if isinstance(schedule, PlateauScheduler):
        return True
    return isinstance(schedule, Schedule) and any(map(listens, schedule._arguments().values()))
