"""A rate that is reduced where a value of the epochs has stopped improving."""

from typing import Any, Dict, List, Optional, Sequence, Union

import numpy as np

from ... import _check
from ...hyper.parameters import HyperParameters
from ...schedules import PlateauScheduler
from .tracker import TrackerCallback


class ReduceLROnPlateau(TrackerCallback):
    """Multiply the fit's rates by `factor` whenever a value of the epochs has stopped improving.

        lr = max(lr of the fit's curve * factor^k, min_lr)    k = the reductions so far

    The rule is that of :class:`gluon_lr.PlateauScheduler`: `patience` epochs without an
    improvement are borne, and one more reduces the rate. It is reduced in a fit without a rate
    too, from the trainer's own; with a curve, the rate is that share of it.

    Parameters
    ----------
    monitor, mode, min_delta
        As in :class:`TrackerCallback`.
    patience : int
        Epochs without an improvement that are borne, at least 0. fastai's `patience` counts the
        one that reduces the rate too, so it is one more.
    factor : float
        Above 0 and below 1; or above 1, as fastai writes it, to divide by.
    min_lr : float or sequence
        The rate is not reduced below this, at least 0; one for all parameter groups, or one each.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds; at the start of a fit whose epochs have no such value,
        or whose trainer has an lr_scheduler that moves the rate, or other groups than `min_lr`.
    """

    scales = ("lr",)

    def __init__(
        self,
        monitor: str = "valid_loss",
        patience: int = 1,
        factor: float = 0.1,
        min_delta: float = 0.0,
        min_lr: Union[float, Sequence[float]] = 0.0,
        mode: Optional[str] = None,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        name = type(self).__name__
        self.patience = _check.integer(name, "patience", patience, 0)
        self.factor = _check.real(name, "factor", factor, above=0)
        if self.factor == 1:
            constraint = "below 1 to multiply by, or above 1 to divide by"
            raise ValueError(_check.message(name, "factor", constraint, factor))
        self.min_lr: Union[float, List[float]] = (
            [_check.rate(name, "min_lr", one) for one in min_lr]
            if isinstance(min_lr, (list, tuple, np.ndarray)) and np.ndim(min_lr)
            else _check.rate(name, "min_lr", min_lr)
        )
        self._share = 1.0
        self._hypers: Optional[HyperParameters] = None

    def check_fit(self, learner: Any) -> None:
        """Check that the epochs will have the value, and that there is a `min_lr` a group."""
        super().check_fit(learner)
        groups = len(learner.groups)
        if isinstance(self.min_lr, list) and len(self.min_lr) != groups:
            name, constraint = type(self).__name__, f"one rate, or one for each of {groups} groups"
            raise ValueError(_check.message(name, "min_lr", constraint, self.min_lr))

    def before_fit(self, learner: Any) -> None:
        """Take up what the epochs of a resumed fit have come to."""
        self._hypers = HyperParameters(learner.trainer, learner.groups)
        self._share = self._share_after(self.values(learner))

    def before_step(self, learner: Any) -> None:
        """Reduce the rates that the fit has given the trainer."""
        if self._share < 1 and self._hypers is not None and learner.is_fitting:
            pairs = zip(self._hypers["lr"], self._hypers.by_group("lr", self.min_lr))
            self._hypers["lr"] = [min(lr, max(lr * self._share, lowest)) for lr, lowest in pairs]

    def after_epoch(self, learner: Any) -> None:
        """Reduce the rate where it is time, and say so."""
        before, self._share = self._share, self._share_after(self.values(learner))
        if self._share < before:
            text = f"the rate is {self._share:.3g} of the fit's from here on"
            learner.say(f"{type(self).__name__}: {text}.")

    def _share_after(self, values: Dict[int, float]) -> float:
        """Return what is left of the rate after epochs with these values."""
        factor = self.factor if self.factor < 1 else 1 / self.factor
        rule = PlateauScheduler(
            factor,
            self.patience,
            self.mode,
            self.min_delta,
            stop_factor_lr=0.0,
            base_lr=1.0,
            threshold_mode="abs",
        )
        for value in values.values():
            rule.observe(value)
        return rule.lr
