"""Ends a fit that has stopped improving."""

from typing import Any, Optional

from ... import _check
from ...events import CancelFitException
from .tracker import TrackerCallback


class EarlyStoppingCallback(TrackerCallback):
    """End the fit when a value of the epochs has stopped improving, and print a message.

    Parameters
    ----------
    monitor, min_delta, mode
        As in :class:`TrackerCallback`.
    patience : int
        End the fit after so many epochs without an improvement, at least 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds; at the start of a fit without such a value.
    """

    order = 90  # after callbacks that save or write the epoch

    def __init__(
        self,
        monitor: str = "valid_loss",
        min_delta: float = 0.0,
        patience: int = 1,
        mode: Optional[str] = None,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = _check.integer(type(self).__name__, "patience", patience, 1)

    def before_fit(self, learner: Any) -> None:
        """End a resumed fit at once, if it was interrupted after the epoch that ends it."""
        self.after_epoch(learner)

    def after_epoch(self, learner: Any) -> None:
        """End the fit if the last `patience` epochs brought no improvement; never a search."""
        if learner.is_searching:
            return
        values = self.values(learner)
        improved = self.improved(values.values())
        if len(values) < self.patience or any(improved[-self.patience :]):
            return
        best = [epoch for epoch, is_better in zip(values, improved) if is_better]
        told = "never improved"
        if best:
            told = f"was best in epoch {best[-1]}: {values[best[-1]]:.4g}"
        raise CancelFitException(f"{type(self).__name__}: the fit ends; {self.monitor} {told}.")
