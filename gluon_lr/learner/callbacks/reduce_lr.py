"""Reduces the rate when a value of the epochs has stopped improving."""

from typing import Any, Dict, List, Optional, Sequence, Union

import numpy as np

from ... import _check
from ...hyper.parameters import HyperParameters
from ...schedules import PlateauScheduler
from .tracker import TrackerCallback


class ReduceLROnPlateau(TrackerCallback):
    """Multiply the fit's rates by `factor` whenever a value of the epochs has stopped improving.

        lr = max(lr of the fit's curve * factor^k, min_lr)    k = the reductions so far

    The rule is that of :class:`gluon_lr.PlateauScheduler`: the rate does not change for `patience`
    epochs without an improvement, and one more such epoch reduces it. A fit without a rate
    reduces the trainer's own rate. A fit with a curve multiplies the curve.

    Parameters
    ----------
    monitor, mode, min_delta
        As in :class:`TrackerCallback`.
    patience : int
        Epochs without an improvement that do not reduce the rate, at least 0. fastai's `patience`
        is one more, as it also counts the epoch that reduces the rate.
    factor : float
        Above 0 and below 1 to multiply by; or above 1 to divide by, as in fastai.
    min_lr : float or sequence
        The lowest rate after a reduction, at least 0: one number, or one per parameter group.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds; at the start of a fit without such a value, with a
        rate set by the trainer's lr_scheduler, or with other groups than `min_lr`.
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
        """Check that the epochs will have the value, and that `min_lr` fits the groups."""
        super().check_fit(learner)
        groups = len(learner.groups)
        if isinstance(self.min_lr, list) and len(self.min_lr) != groups:
            name, constraint = type(self).__name__, f"one rate, or one for each of {groups} groups"
            raise ValueError(_check.message(name, "min_lr", constraint, self.min_lr))

    def before_fit(self, learner: Any) -> None:
        """Apply the reductions that the epochs of a resumed fit led to."""
        self._hypers = HyperParameters(learner.trainer, learner.groups)
        self._share = self._share_after(self.values(learner))

    def before_step(self, learner: Any) -> None:
        """Reduce the rates that the fit has set in the trainer."""
        if self._share < 1 and self._hypers is not None and learner.is_fitting:
            pairs = zip(self._hypers["lr"], self._hypers.by_group("lr", self.min_lr))
            self._hypers["lr"] = [min(lr, max(lr * self._share, lowest)) for lr, lowest in pairs]

    def after_epoch(self, learner: Any) -> None:
        """Reduce the rate if the rule says so, and print a message."""
        before, self._share = self._share, self._share_after(self.values(learner))
        if self._share < before:
            text = f"from now on the rate is {self._share:.3g} times the rate of the fit"
            learner.say(f"{type(self).__name__}: {text}.")

    def _share_after(self, values: Dict[int, float]) -> float:
        """Return the share of the rate that remains after epochs with these values."""
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
