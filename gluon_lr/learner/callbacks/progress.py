"""Shows a fit on the screen: a progress bar, and one line per epoch."""

from functools import partial
from typing import Any, Callable, ContextManager, Dict, Optional

from tqdm.auto import tqdm

from ...events import Callback
from ..epoch_table import cell, line

_FORMATS = {
    "batch": "{l_bar}{bar}| {n:.0f}/{total:.0f} [{elapsed}<{remaining}{postfix}]",
    "s": "{l_bar}{bar}| {n:.0f}/{total:.0f} s{postfix}",
}


class ProgressCallback(Callback):
    """Show a progress bar during a fit, and print a line with the values of each epoch.

    Every fit has this callback by default. It shows something if ``learner.progress`` is true, on
    the first worker: lines on the standard output, the bar on the standard error.
    """

    order = -50

    def __init__(self) -> None:
        self._bar: Optional[_Bar] = None
        self._named: Optional[Dict[str, str]] = None

    def during_fit(self, learner: Any) -> ContextManager[Any]:
        """Return the progress bar."""
        done, total, unit = learner.work_of_fit
        hidden = not (learner.progress and learner.workers.is_first)
        self._bar = _Bar(
            partial(_state_of, learner),
            total=total,
            initial=done,
            disable=hidden,
            bar_format=_FORMATS[unit],
            leave=False,
        )
        self._named = None
        return self._bar

    def after_batch(self, learner: Any) -> None:
        """Move the bar on."""
        self._move_on(learner)

    def after_epoch(self, learner: Any) -> None:
        """Print the epoch's values, below a line of names if these have changed."""
        self._move_on(learner)
        if not learner.is_searching:
            self._print(learner, learner.recorder.epochs[-1])

    def after_tune(self, learner: Any) -> None:
        """Print the rate that was found, and the epochs of the training that was kept."""
        learner.say(f"best rate of the trials: {learner.tuned.suggestion:.3g}")
        for values in learner.recorder.fit_epochs:
            self._print(learner, values)

    def _print(self, learner: Any, values: Dict[str, Any]) -> None:
        cells = {name: cell(name, value) for name, value in values.items() if name != "fit"}
        names = {name: name for name in cells}
        if names != self._named:
            self._named = names
            learner.say(line(names))
        learner.say(line(cells))

    def _move_on(self, learner: Any) -> None:
        if self._bar is not None and not self._bar.disable:
            done, self._bar.total, _ = learner.work_of_fit
            self._bar.update(done - self._bar.n)


class _Bar(tqdm):
    """A progress bar that computes its last words only when it is drawn."""

    def __init__(self, last_words: Callable[[], str], **options: Any) -> None:
        self._last_words = last_words
        super().__init__(**options)

    @property
    def format_dict(self) -> Dict[str, Any]:
        """The fields of the bar's format."""
        return {**super().format_dict, "postfix": self._last_words()}


def _state_of(learner: Any) -> str:
    """Return the epoch, the loss and the rate as a short text."""
    recorder = learner.recorder
    parts = [f"epoch {min(learner.epoch + 1, learner.n_epoch)}/{learner.n_epoch}"]
    if recorder.last_loss is not None:
        parts.append(f"loss {recorder.last_loss:.3g}")
    if learner.trainer.learning_rate is not None:  # an optimizer may have none
        parts.append(f"lr {learner.trainer.learning_rate:.2g}")
    return ", ".join(parts)
