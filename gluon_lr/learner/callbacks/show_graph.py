"""Draws a fit in a notebook, again after each epoch."""

from typing import Any, Callable, Optional

from ... import plotting
from ...events import Callback


class ShowGraphCallback(Callback):
    """Draw the losses in a notebook, above the lines of the epochs, again after each epoch.

    Outside a notebook it shows nothing; ``learner.recorder.plot_loss()`` draws them after the fit.
    """

    order = 20

    def __init__(self) -> None:
        self._shown: Any = None  # the display handle of the notebook

    def before_fit(self, learner: Any) -> None:
        """Reserve a place for the picture in the notebook."""
        display, self._shown = _display(), None
        if display is not None and learner.workers.is_first and not learner.in_trial:
            self._shown = display({"text/plain": ""}, raw=True, display_id=True)

    def after_epoch(self, learner: Any) -> None:
        """Draw the picture."""
        if self._shown is not None:
            figure = learner.recorder.plot_loss().figure
            self._shown.update(figure)
            plotting.close(figure)


def _display() -> Optional[Callable[..., Any]]:
    """Return IPython's `display` in a notebook, otherwise None."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return None
    shell = get_ipython()
    is_notebook = shell is not None and "IPKernelApp" in shell.config
    return display if is_notebook else None
