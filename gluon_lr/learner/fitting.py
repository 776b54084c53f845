"""Epochs of updates, along curves, with callbacks: what all of the Learner's fits run."""

import contextlib
import time
from typing import Any, Dict, Iterator, Mapping, Optional, Sequence

import numpy as np
from tqdm.auto import tqdm

from ..hyper import annealing
from ..hyper.scheduling import Curves, ParamScheduler
from ..state.generators import GlobalState
from ..state.interrupts import Hold, interrupts_held_by
from ..state.transaction import afterwards
from ..training.iteration import IterationLearner
from .callbacks import Callback, CancelFitException
from .recorder import Recorder


class Fit:
    """A number of epochs along curves, and how far it has come.

    Parameters
    ----------
    n_epoch : int
        Epochs.
    iterations_per_epoch : int
        Batches in each.
    scheds : dict
        Curves by hyper-parameter, over all of it.
    frozen_to : int, optional
        The first group that is trained, where the fit decides on that.
    start_epoch : int
        Where to start.
    """

    def __init__(
        self,
        n_epoch: int,
        iterations_per_epoch: int,
        scheds: Mapping[str, Curves],
        frozen_to: Optional[int] = None,
        start_epoch: int = 0,
    ) -> None:
        self.n_epoch = n_epoch
        self.iterations_per_epoch = iterations_per_epoch
        self.scheds = dict(scheds)
        self.frozen_to = frozen_to
        self.iteration = start_epoch * iterations_per_epoch  # batches trained on
        self.updates = self.iteration  # of these, those that AMP did not skip
        self.epochs_ended = start_epoch
        self.begun = False

    @property
    def length(self) -> int:
        """Batches in all epochs."""
        return self.n_epoch * self.iterations_per_epoch

    @property
    def at_epoch_end(self) -> bool:
        """Whether all batches of an epoch were trained on, and it has not been ended."""
        return self.iteration == (self.epochs_ended + 1) * self.iterations_per_epoch

    def as_data(self) -> Dict[str, Any]:
        """Return it as what `json` can write; a user's own curves become None."""
        scheds = {name: _as_data(curves) for name, curves in self.scheds.items()}
        return {**vars(self), "scheds": scheds}

    @classmethod
    def from_data(cls, data: Dict[str, Any]) -> "Fit":
        """Return the fit that :meth:`as_data` wrote."""
        fit = cls(0, 0, {})
        vars(fit).update(data)
        fit.scheds = {name: _from_data(curves) for name, curves in data["scheds"].items()}
        return fit


class Fitting:
    """A fit at work on a learner.

    Parameters
    ----------
    learner : Learner
        The learner that trains. The callbacks get it.
    fit : Fit
        What to do; it is brought up to date after each update.
    callbacks : list of Callback
        What to call at the events.
    scheduler : ParamScheduler
        The fit's curves.
    recorder : Recorder
        What takes note of the learner's updates, and of the epochs.
    """

    def __init__(
        self,
        learner: IterationLearner,
        fit: Fit,
        callbacks: Sequence[Callback],
        scheduler: ParamScheduler,
        recorder: Recorder,
    ) -> None:
        self._learner = learner
        self._fit = fit
        self._callbacks = callbacks
        self._scheduler = scheduler
        self._recorder = recorder
        self._hold = Hold()
        self._lr_scheduler = learner.trainer.optimizer.lr_scheduler

    def run(self, progress: bool) -> None:
        """Train to the end, or to where a callback cancels, and put the hyper-parameters back."""
        fit = self._fit
        hidden = not (progress and self._learner.workers.is_first)
        bar = tqdm(total=fit.length, initial=fit.iteration, disable=hidden)
        with bar, interrupts_held_by() as self._hold, afterwards(self._put_back):
            self._take_lr_scheduler()
            self._scheduler.bind(self._learner.trainer)
            self._train(bar)

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[None]:
        """Put the trainer's own hyper-parameters back for the block."""
        self._put_back()
        yield
        self._take_lr_scheduler()
        self._scheduler.step(max(self._fit.updates, 1))

    def _train(self, bar: tqdm) -> None:
        with contextlib.suppress(CancelFitException):
            self._call("before_fit")
            while self._fit.epochs_ended < self._fit.n_epoch:
                self._train_epoch(bar)
        self._call("after_fit")

    def _train_epoch(self, bar: tqdm) -> None:
        fit = self._fit
        start = time.perf_counter()
        if fit.iteration == fit.epochs_ended * fit.iterations_per_epoch:
            self._call("before_epoch")
        while not fit.at_epoch_end:
            self._call("before_batch")
            with self._hold:
                self._update()
            self._call("after_batch")
            if bar.update():
                self._show(bar)
        self._end_epoch(start)
        self._show(bar)
        self._call("after_epoch")

    def _update(self) -> None:
        fit = self._fit
        self._scheduler.step(fit.updates + 1)
        self._learner.enqueue()
        fit.iteration += 1
        fit.updates = self._scheduler.position

    def _end_epoch(self, start: float) -> None:
        """Validate and record; where that is interrupted, it is done again, from the same place."""
        fit, ended, generators = self._fit, self._fit.epochs_ended, GlobalState.get()
        try:
            losses = self._recorder.last_losses(fit.iterations_per_epoch)
            values = {"train_loss": float(np.mean(losses))}
            self._learner.average_running_statistics()
            if self._learner.valid_loader is not None:
                values.update(self._learner.workers.means(self._learner.validate()))
            seconds = time.perf_counter() - start
            with self._hold:
                self._recorder.end_epoch(epoch=ended, **values, time=seconds)
                fit.epochs_ended += 1
        except BaseException:
            if fit.epochs_ended == ended:
                generators.put_back()
            raise

    def _show(self, bar: tqdm) -> None:
        recorder = self._recorder
        shown = {"epochs": f"{self._fit.epochs_ended}/{self._fit.n_epoch}"}
        if recorder.last_loss is not None:
            shown["loss"] = f"{recorder.last_loss:.3g}"
        shown["lr"] = f"{self._learner.trainer.learning_rate:.2g}"
        ended = recorder.epochs[-1] if recorder.epochs else {}
        others = {k: v for k, v in ended.items() if k not in ("epoch", "train_loss", "time")}
        bar.set_postfix({**shown, **{name: f"{value:.3g}" for name, value in others.items()}})

    def _take_lr_scheduler(self) -> None:
        if "lr" in self._fit.scheds:
            self._learner.trainer.optimizer.lr_scheduler = None

    def _put_back(self) -> None:
        self._scheduler.put_back()
        self._learner.trainer.optimizer.lr_scheduler = self._lr_scheduler

    def _call(self, event: str) -> None:
        for callback in self._callbacks:
            getattr(callback, event)(self._learner)


def _as_data(curves: Curves) -> Any:
    try:
        if isinstance(curves, (list, tuple)):
            return [annealing.to_config(curve) for curve in curves]
        return annealing.to_config(curves)  # type: ignore[arg-type]
    except ValueError:
        return None


def _from_data(data: Any) -> Any:
    if data is None:
        return None
    if isinstance(data, list):
        return [annealing.from_config(one) for one in data]
    return annealing.from_config(data)
