"""The base class of callbacks that watch a value of the epochs."""

import math
from typing import Any, Dict, Iterable, List, Optional

from ... import _check
from ...events import Callback
from ...training.metrics import direction_of


class TrackerCallback(Callback):
    """Watch whether a value of the epochs has improved.

    It has no state besides the recorder's, so a resumed fit continues as without an interruption.

    Parameters
    ----------
    monitor : str
        A key of ``recorder.epochs``: 'valid_loss', 'train_loss' or the name of a metric.
    mode : {'min', 'max'}, optional
        'min' if lower is better. By default it follows from the name, for MXNet's metrics and for
        losses and errors.
    min_delta : float
        An improvement has to be larger than this, at least 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds, or no mode follows from the name; at the start of a
        fit without such a value.
    """

    def __init__(
        self, monitor: str = "valid_loss", mode: Optional[str] = None, min_delta: float = 0.0
    ) -> None:
        name = type(self).__name__
        if not isinstance(monitor, str):
            constraint = "the name of a value, for example 'valid_loss'"
            raise TypeError(_check.message(name, "monitor", constraint, monitor))
        if mode is None:
            mode = direction_of(monitor)
        if mode is None:
            constraint = (
                f"'min' or 'max', because the name {monitor!r} does not tell which is better"
            )
            raise ValueError(_check.message(name, "mode", constraint, mode))
        self.monitor = monitor
        self.mode = _check.one_of(name, "mode", mode, ["min", "max"])
        self.min_delta = _check.real(name, "min_delta", min_delta, minimum=0)

    def check_fit(self, learner: Any) -> None:
        """Check that the epochs will have the value."""
        names = learner.names_of_epochs
        if names is not None:
            self._check(names)

    def _check(self, names: List[str]) -> None:
        if self.monitor not in names:
            constraint = "one of " + ", ".join(map(repr, names))
            remedy = "valid_loss and metrics need a Learner with a `valid_loader`."
            name = type(self).__name__
            raise ValueError(_check.message(name, "monitor", constraint, self.monitor, remedy))

    def values(self, learner: Any) -> Dict[int, float]:
        """Return the value of each epoch of the fit, except if its validation was cancelled."""
        epochs = learner.recorder.fit_epochs
        for one in epochs:
            if self.monitor not in one and "valid_loss" in one:
                self._check(list(one))
        return {one["epoch"]: float(one[self.monitor]) for one in epochs if self.monitor in one}

    def improved(self, values: Iterable[float]) -> List[bool]:
        """Return whether each value is better than all before it, by more than `min_delta`."""
        sign = 1 if self.mode == "min" else -1
        best, improved = math.inf, []
        for value in values:
            improved.append(sign * value < best - self.min_delta)
            if improved[-1]:
                best = sign * value
        return improved
