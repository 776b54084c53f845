"""Trials of Optuna that end early."""

from typing import Any, Optional

from ... import _check
from ..._extras import imported
from .tracker import TrackerCallback


class OptunaPruningCallback(TrackerCallback):
    """Report a value of the epochs to an Optuna trial, and end the fit where it is pruned.

    It raises `optuna.TrialPruned`, which the study expects. Of several workers the first reports,
    and all end.

    It needs Optuna: ``pip install optuna``.

    Parameters
    ----------
    trial : optuna.trial.Trial or None
        The trial; None in workers that are not the first.
    monitor, mode
        As :class:`TrackerCallback` takes them. The study's `direction` has to fit them.

    Raises
    ------
    ImportError
        Where Optuna is not installed.
    TypeError, ValueError
        On an argument outside its bounds; at the start of a fit whose epochs have no such value,
        or of a study of the other direction.
    """

    order = 95

    def __init__(self, trial: Any, monitor: str = "valid_loss", mode: Optional[str] = None) -> None:
        super().__init__(monitor, mode)
        self._optuna = imported(type(self).__name__, "optuna")
        self.trial = trial

    def check_fit(self, learner: Any) -> None:
        """Check the study's direction too."""
        super().check_fit(learner)
        wanted = {"min": "MINIMIZE", "max": "MAXIMIZE"}[self.mode]
        study = getattr(self.trial, "study", None)  # which a FixedTrial has not
        own = wanted if study is None else study.direction.name
        direction = learner.workers.of_first(own)
        if direction != wanted:
            constraint = f"of a study that is to {wanted.lower()} {self.monitor}"
            name = type(self).__name__
            raise ValueError(_check.message(name, "trial", constraint, direction))

    def after_epoch(self, learner: Any) -> None:
        """Report the epoch, and raise where the trial is pruned."""
        if learner.in_trial:
            return
        values, epoch = self.values(learner), learner.recorder.epochs[-1]["epoch"]
        if epoch not in values:
            return
        if self.trial is not None:  # by a number that goes on in a second fit
            self.trial.report(values[epoch], len(learner.recorder.epochs) - 1)
        pruned = self.trial is not None and self.trial.should_prune()
        if learner.workers.of_first(pruned):
            text = f"{self.monitor} was {values[epoch]:.6g} in epoch {epoch}"
            raise self._optuna.TrialPruned(text)
