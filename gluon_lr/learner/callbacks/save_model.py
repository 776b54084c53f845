"""Keeps the best weights of a fit and loads them at its end."""

from pathlib import Path
from typing import Any, Dict, Optional

from ..._interrupts import uninterrupted
from ...state import net as nets
from ...state.checkpoint import write_params
from .paths import check_directory
from .tracker import TrackerCallback

Parameters = Dict[str, Any]


class SaveModelCallback(TrackerCallback):
    """Keep the weights of the best epoch, and load them at the end of the fit.

    These are the weights that were validated: the averages, with :class:`EMA` or :class:`SWA`.
    The optimizer does not change. After a fit at 'tune', the file has the weights of the training
    that is kept.

    Parameters
    ----------
    monitor, mode, min_delta
        As in :class:`TrackerCallback`.
    path : str or path, optional
        A file to write them to, as ``net.save_parameters`` does. A relative path is resolved when
        the callback is created.
    restore : bool
        Whether to load them at the end of the fit.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds; at the start of a fit without such a value.
    """

    order = 60  # after EMA and SWA, so that the best weights replace their last averages

    def __init__(
        self,
        monitor: str = "valid_loss",
        path: Any = None,
        restore: bool = True,
        mode: Optional[str] = None,
        min_delta: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.path = None if path is None else Path(path).absolute()
        self.restore = restore
        self._best: Optional[Parameters] = None
        self._validated: Optional[Parameters] = None
        self._is_written = True

    def check_fit(self, learner: Any) -> None:
        """Check the value, and that the directory of `path` exists."""
        super().check_fit(learner)
        check_directory(self, learner)

    def as_data(self) -> Any:
        """Return the best weights so far."""
        return self._best

    def take_data(self, data: Any) -> None:
        """Continue from these best weights, or start without any."""
        self._best, self._validated, self._is_written = data, None, data is None

    def after_train(self, learner: Any) -> None:
        """Forget weights from validations before the epoch's own."""
        self._validated = None

    def after_validate(self, learner: Any) -> None:
        """Copy the weights that were validated."""
        self._validated = nets.parameters_of(learner.net)

    @uninterrupted
    def after_epoch(self, learner: Any) -> None:
        """Keep the weights if the epoch is the best so far."""
        values, epoch = self.values(learner), learner.recorder.epochs[-1]["epoch"]
        if epoch in values and self.improved(values.values())[-1] and not learner.is_searching:
            validated = self._validated
            self._best = nets.parameters_of(learner.net) if validated is None else validated
            self._is_written = False
        if not self._is_written and self._best is not None and not learner.in_trial:
            self._write(learner, self._best)
            self._is_written = True

    def after_tune(self, learner: Any) -> None:
        """Write the weights of the training that is kept."""
        self._write(learner, nets.parameters_of(learner.net))

    def after_fit(self, learner: Any) -> None:
        """Load the best weights."""
        if self.restore and self._best is not None:
            nets.apply_parameters(self._best, learner.net, learner.trainer)

    def _write(self, learner: Any, parameters: Parameters) -> None:
        if self.path is not None and learner.workers.is_first:
            write_params(self.path, parameters)
