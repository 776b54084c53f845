"""Prunes trials of Optuna."""

from typing import Any, Optional

from ... import _check
from ..._extras import imported
from .tracker import TrackerCallback


class OptunaPruningCallback(TrackerCallback):
    """Report a value of the epochs to an Optuna trial, and end the fit if it is pruned.

    It raises `optuna.TrialPruned`, which the study expects. Of several workers, the first one
    reports, and all of them end.

    It needs Optuna: ``pip install optuna``.

    Parameters
    ----------
    trial : optuna.trial.Trial or None
        The trial; None in workers that are not the first.
    monitor, mode
        As in :class:`TrackerCallback`. The study's `direction` has to agree with the mode.

    Raises
    ------
    ImportError
        If Optuna is not installed.
    TypeError, ValueError
        If an argument is outside its bounds; at the start of a fit without such a value, or of a
        study with the other direction.
    """

    order = 95

    def __init__(self, trial: Any, monitor: str = "valid_loss", mode: Optional[str] = None) -> None:
        super().__init__(monitor, mode)
        self._optuna = imported(type(self).__name__, "optuna")
        self.trial = trial

    def check_fit(self, learner: Any) -> None:
        """Check the value, and the study's direction."""
        super().check_fit(learner)
        wanted = {"min": "MINIMIZE", "max": "MAXIMIZE"}[self.mode]
        study = getattr(self.trial, "study", None)  # a FixedTrial has none
        own = wanted if study is None else study.direction.name
        direction = learner.workers.of_first(own)
        if direction != wanted:
            constraint = f"of a study with the direction {wanted!r} for {self.monitor}"
            remedy = f"Create it with optuna.create_study(direction={wanted.lower()!r})."
            name = type(self).__name__
            raise ValueError(_check.message(name, "trial", constraint, direction, remedy))

    def after_epoch(self, learner: Any) -> None:
        """Report the epoch's value, and raise `TrialPruned` if the trial is pruned."""
        if learner.in_trial:
            return
        values, epoch = self.values(learner), learner.recorder.epochs[-1]["epoch"]
        if epoch not in values:
            return
        if self.trial is not None:  # the step number continues in a second fit
            self.trial.report(values[epoch], len(learner.recorder.epochs) - 1)
        pruned = self.trial is not None and self.trial.should_prune()
        if learner.workers.of_first(pruned):
            text = f"{self.monitor} was {values[epoch]:.6g} in epoch {epoch}"
            raise self._optuna.TrialPruned(text)
