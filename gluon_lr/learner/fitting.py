"""Epochs of updates, along curves, with callbacks: what all of the Learner's fits run."""

import contextlib
import math
import time
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

from tqdm.auto import tqdm

from .. import _check
from .._interrupts import uninterrupted
from ..data.batches import Batches
from ..events import (
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    overrides,
)
from ..hyper import annealing
from ..hyper.scheduling import Curves, ParamScheduler
from ..state import schema
from ..state.generators import GlobalState
from ..state.memory import Memory
from ..state.transaction import Transaction, afterwards
from ..training.gradients import are_added_up
from ..training.losses import as_loss
from .callbacks import Callback
from .recorder import Recorder

_OF_STEP = ("before_loss", "after_loss", "before_step", "after_step")
_FIT = schema.Record(
    n_epoch=schema.POSITIVE,
    iterations_per_epoch=schema.POSITIVE,
    by_passes=schema.FLAG,
    scheds=schema.ByName(schema.ANYTHING),
    frozen_to=schema.Maybe(schema.COUNT),
    epochs_ended=schema.COUNT,
    in_epoch=schema.COUNT,
    batches_per_update=schema.POSITIVE,
    in_pass=schema.FLAG,
    skipped=schema.COUNT,
    begun=schema.FLAG,
)


class Fit:
    """A number of epochs along curves, and how far it has come.

    Parameters
    ----------
    n_epoch : int
        Epochs.
    iterations_per_epoch : int
        Batches in each.
    by_passes : bool
        Whether an epoch is a pass through the data, however long that is. Then
        `iterations_per_epoch` is the length of the pass that is expected now.
    scheds : dict
        Curves by hyper-parameter, over all of it; None where a callback moves it, or no file can
        hold them.
    frozen_to : int, optional
        The first group that is trained, where the fit decides on that.
    start_epoch : int
        Where to start.
    """

    def __init__(
        self,
        n_epoch: int,
        iterations_per_epoch: int,
        by_passes: bool,
        scheds: Mapping[str, Optional[Curves]],
        frozen_to: Optional[int] = None,
        start_epoch: int = 0,
    ) -> None:
        self.n_epoch = n_epoch
        self.iterations_per_epoch = iterations_per_epoch
        self.by_passes = by_passes
        self.scheds = dict(scheds)
        self.frozen_to = frozen_to
        self.epochs_ended = start_epoch
        self.in_epoch = 0  # batches since then
        self.batches_per_update = 1  # as far as it is known
        self.in_pass = False  # whether the pass of this epoch has begun
        self.skipped = 0  # updates that AMP did not make
        self.begun = False

    @property
    def in_the_data(self) -> bool:
        """Whether it goes on in the middle of the data, and not with a new pass."""
        return self.begun and (self.in_pass or not self.by_passes)

    @property
    def batches(self) -> int:
        """Batches in all epochs, if all are as long as the present one."""
        return self.n_epoch * self.iterations_per_epoch

    @property
    def done(self) -> int:
        """Batches trained on, if all epochs were as long as the present one."""
        in_epoch = min(self.in_epoch, self.iterations_per_epoch)
        return self.epochs_ended * self.iterations_per_epoch + in_epoch

    @property
    def length(self) -> int:
        """Updates in all epochs, if all are as long as the present one."""
        return self.n_epoch * self._updates_per_epoch

    @property
    def next_update(self) -> int:
        """The number of the next update on curves of this :attr:`length`, from 1.

        Where a batch is called off, or has an update of its own, the curves go on all the same.
        """
        per_epoch = self._updates_per_epoch
        in_epoch = min(self.in_epoch // self.batches_per_update, per_epoch - 1)
        return max(self.epochs_ended * per_epoch + in_epoch + 1 - self.skipped, 1)

    @property
    def curves(self) -> Dict[str, Curves]:
        """The curves that it knows."""
        return {name: curves for name, curves in self.scheds.items() if curves is not None}

    @property
    def _updates_per_epoch(self) -> int:
        return math.ceil(self.iterations_per_epoch / self.batches_per_update)

    def as_data(self) -> Dict[str, Any]:
        """Return it as what `json` can write; a user's own curves become None."""
        scheds = {name: _as_data(curves) for name, curves in self.scheds.items()}
        return {**vars(self), "scheds": scheds}

    @classmethod
    def from_data(cls, data: Any, place: str) -> "Fit":
        """Return the fit that :meth:`as_data` wrote, or raise a ValueError that names the place."""
        _FIT.check(data, place)
        if data["epochs_ended"] > data["n_epoch"]:
            expected = f"at most n_epoch, {data['n_epoch']}"
            raise schema.astray(f"{place}.epochs_ended", expected, data["epochs_ended"])
        fit = cls(1, 1, False, {})
        vars(fit).update(data)
        fit.scheds = {
            name: _from_data(curves, f"{place}.scheds[{name!r}]")
            for name, curves in data["scheds"].items()
        }
        return fit


class Fitting:
    """A fit at work on a learner.

    Parameters
    ----------
    learner : Learner
        The learner that trains. The callbacks get it.
    batches : Batches
        What it trains on.
    fit : Fit
        What to do; it is brought up to date after each update.
    callbacks : list of Callback
        What to call at the events.
    scheduler : ParamScheduler
        The fit's curves.
    recorder : Recorder
        What takes note of the learner's updates, and of the epochs.

    Attributes
    ----------
    lr_scheduler : object
        The trainer's lr_scheduler, which may rest meanwhile.
    own_lr : float
        The trainer's rate before the fit.
    """

    def __init__(
        self,
        learner: Any,
        batches: Batches,
        fit: Fit,
        callbacks: Sequence[Callback],
        scheduler: ParamScheduler,
        recorder: Recorder,
    ) -> None:
        self._learner = learner
        self._batches = batches
        self._fit = fit
        self.callbacks = callbacks
        self._scheduler = scheduler
        acting = [one for one in callbacks if isinstance(one, ParamScheduler)]
        self._schedulers = [scheduler, *acting]
        self._recorder = recorder
        self.lr_scheduler = learner.trainer.optimizer.lr_scheduler
        self.own_lr: float = learner.trainer.learning_rate
        self._at = 0  # the update whose values the trainer has
        self._warned = False

    def run(self, progress: bool) -> None:
        """Train to the end, or to where a callback cancels, and put the hyper-parameters back."""
        fit = self._fit
        hidden = not (progress and self._learner.workers.is_first)
        bar = tqdm(total=fit.batches, initial=fit.done, disable=hidden)
        with bar, afterwards(self._leave) as again, again:
            self._take_lr_scheduler()
            self._scheduler.bind(self._learner.trainer)
            self._go_on()
            self._train(bar)

    def at_rest(self) -> Transaction:
        """Return a block in which the trainer has its own hyper-parameters."""
        return _AtRest(self._put_back, self._go_on)

    def before_update(self) -> None:
        """Give the trainer the values of its next update."""
        fit = self._fit
        fit.batches_per_update = max(fit.batches_per_update, self._learner.batches_in_update)
        self._at, self._scheduler.length = fit.next_update, fit.length
        self._scheduler.assign(self._at)

    @property
    def place(self) -> Tuple[int, int]:
        """The number of the next update, from 1, and how many the fit makes, before a batch."""
        fit, learner = self._fit, self._learner
        if are_added_up(learner.trainer):  # this batch is at least the next one of its update
            batches = learner.batches_in_update + 1
            fit.batches_per_update = max(fit.batches_per_update, batches)
        return fit.next_update, fit.length

    @property
    def moved(self) -> Sequence[str]:
        """The hyper-parameters that the fit moves itself."""
        return list(self._fit.curves)

    def at_update(self) -> None:
        """Have the momentum fit the rate of the update that is made now."""
        for scheduler in self._schedulers:
            scheduler.correct_momentum(self._at)

    def after_update(self) -> None:
        """Count an update that AMP has skipped."""
        self._fit.skipped += self._scheduler.position < self._at

    def after_batch(self) -> None:
        """Count a batch, whether it made an update or not."""
        self._fit.in_epoch += 1

    def _go_on(self) -> None:
        self._take_lr_scheduler()
        if len(self._recorder):
            for scheduler in self._schedulers:
                scheduler.go_on_from(self._recorder.last_hps)

    def _train(self, bar: tqdm) -> None:
        with contextlib.suppress(CancelFitException):
            self._learner.tell("before_fit")
            while self._fit.epochs_ended < self._fit.n_epoch:
                self._train_epoch(bar)
        with contextlib.suppress(CancelFitException):
            self._learner.tell("after_fit")

    def _train_epoch(self, bar: tqdm) -> None:
        fit = self._fit
        start = time.perf_counter()
        self._expect_a_pass(bar)
        trained = _comes_to_its_end(lambda: self._train_batches(bar))
        trained &= _comes_to_its_end(lambda: self._learner.tell("after_train"))
        self._end_epoch(start, validates=trained)
        bar.update(fit.done - bar.n)
        self._show(bar)
        with contextlib.suppress(CancelEpochException):
            self._learner.tell("after_epoch")

    def _train_batches(self, bar: tqdm) -> None:
        if self._fit.in_epoch == 0:
            self._learner.tell("before_epoch")
        while self._expects_more and self._train_batch():
            if bar.update(self._fit.done - bar.n):
                self._show(bar)

    def _train_batch(self) -> bool:
        """Train on the next batch, if there is one in this epoch."""
        try:
            self._learner.tell("before_batch")
        except CancelBatchException:
            had_one = self._take_batch(self._learner.take_batch)
        else:
            had_one = self._take_batch(self._iterate)
        if had_one:
            with contextlib.suppress(CancelBatchException):
                self._learner.tell("after_batch")
        return had_one

    def _expect_a_pass(self, bar: tqdm) -> None:
        """Ask the loader how long the pass will be that this epoch is."""
        fit = self._fit
        if fit.by_passes and not fit.in_pass:
            self._batches.start_pass()
            fit.iterations_per_epoch = self._learner.iterations_per_epoch
            fit.in_pass = True
            bar.total, bar.n = fit.batches, fit.done
        self._scheduler.length = fit.length

    @property
    def _expects_more(self) -> bool:
        fit = self._fit
        ends = fit.in_epoch >= fit.iterations_per_epoch
        return not ends or (fit.by_passes and self._batches.has_more())

    @uninterrupted
    def _take_batch(self, use: Callable[[], Any]) -> bool:
        """Use the next batch, if there is one in this epoch."""
        if self._fit.by_passes and not self._batches.has_more():
            return False
        use()
        return True

    def _iterate(self) -> None:
        learner = self._learner
        if learner.has_own_iteration:
            self._iterate_its_own_way()
        else:
            learner.enqueue()

    def _iterate_its_own_way(self) -> None:
        """Train by an overridden iteration, which may make its update, or read its data, itself."""
        fit, learner, recorder = self._fit, self._learner, self._recorder
        batches, taken, updates = fit.in_epoch, learner._batches_taken, len(recorder)
        self.before_update()
        self.at_update()
        loss = learner.iteration()
        reads_itself = fit.in_epoch == batches
        trains_itself = reads_itself or learner._batches_taken > taken
        if reads_itself and fit.by_passes:
            raise RuntimeError(
                "Learner: `iteration` must call super().iteration(), which reads the data_loader, "
                "for epochs that are passes. Give the Learner iterations_per_epoch otherwise."
            )
        if reads_itself:
            self.after_batch()
        updates_itself = trains_itself or (
            learner.batches_in_update > 0 and not are_added_up(learner.trainer)
        )
        if trains_itself:
            self._warn_of_untold()
        if updates_itself and len(recorder) == updates:
            recorder.record(as_loss(loss))
            self.after_update()

    def _warn_of_untold(self) -> None:
        """Warn, once, of callbacks whose events within a step no iteration of ours tells."""
        if self._warned:
            return
        self._warned = True
        for callback in (*self._learner.cbs, *self.callbacks):
            names = [one for one in _OF_STEP if overrides(callback, one)]
            if names:
                _check.warn_caller(
                    f"Learner: `iteration` of {type(self._learner).__name__} reads and trains on "
                    f"its batches itself, so {', '.join(names)} of {type(callback).__name__} are "
                    "never called."
                )

    def _end_epoch(self, start: float, validates: bool) -> None:
        """Validate and record; where that is interrupted, it is done again, from the same place."""
        fit = self._fit
        with _UnlessEnded(fit, self._learner.valid_loader) as again, again:
            values = {"train_loss": self._recorder.train_loss}
            self._learner.average_running_statistics()
            if validates and self._learner.valid_loader is not None:
                with contextlib.suppress(CancelEpochException):
                    values.update(self._learner.workers.means(self._learner.validate()))
            self._epoch_ended(epoch=fit.epochs_ended, **values, time=time.perf_counter() - start)

    @uninterrupted
    def _epoch_ended(self, **values: Any) -> None:
        self._recorder.end_epoch(**values)
        self._fit.epochs_ended += 1
        self._fit.in_epoch = 0
        self._fit.in_pass = False

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

    def _leave(self) -> None:
        self._put_back()
        for scheduler in self._schedulers:
            scheduler.leave_fit()

    def _put_back(self) -> None:
        for scheduler in self._schedulers:
            scheduler.put_back()
        self._learner.trainer.optimizer.lr_scheduler = self.lr_scheduler


class _AtRest(Transaction):
    """A block in which a fit's curves rest."""

    def __init__(self, rest: Callable[[], None], go_on: Callable[[], None]) -> None:
        self._rest = rest
        self._go_on = go_on

    def begin(self) -> None:
        self._rest()

    def put_back(self) -> None:
        self._go_on()


class _UnlessEnded(Transaction):
    """A block at the end of an epoch, after which generators are put back if it goes on."""

    def __init__(self, fit: Fit, valid_loader: Any) -> None:
        self._fit = fit
        self._valid_loader = valid_loader

    def take(self) -> None:
        self._ended = self._fit.epochs_ended
        self._generators = GlobalState.get()
        self._put_back_memory = Memory(self._valid_loader).keep()

    def put_back(self) -> None:
        if self._fit.epochs_ended == self._ended:
            self._put_back_memory()
            self._generators.put_back()


def _comes_to_its_end(part_of_epoch: Callable[[], None]) -> bool:
    with contextlib.suppress(CancelEpochException):
        part_of_epoch()
        return True
    return False


def _as_data(curves: Optional[Curves]) -> Any:
    if curves is None:
        return None
    try:
        if isinstance(curves, (list, tuple)):
            return [annealing.to_config(curve) for curve in curves]
        return annealing.to_config(curves)  # type: ignore[arg-type]
    except ValueError:
        return None


def _from_data(data: Any, place: str) -> Any:
    if isinstance(data, list):
        return [_from_data(one, f"{place}[{number}]") for number, one in enumerate(data)]
    if data is None:
        return None
    schema.PLAIN.check(data, place)
    try:
        return annealing.from_config(data)
    except (TypeError, ValueError) as error:
        raise schema.astray(place, "the config of a curve", error) from None
