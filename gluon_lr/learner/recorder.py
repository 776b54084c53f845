"""The hyper-parameters and losses of updates, and the values of epochs."""

import csv
import io
import json
import math
from array import array
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Union

import numpy as np

from .. import _check, _html, plotting
from .._mxnet import mx
from ..finder.result import LRFinderResult, written_number
from ..finder.suggest import centred_mean, exponential_mean
from ..hyper.parameters import FASTAI_NAMES, HyperParameters
from ..state import schema
from ..training.losses import LATE
from .epoch_table import cell, names_of, write_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Value = Union[int, float]

_DATA = schema.Record(
    losses=schema.ARRAY,
    hps=schema.ByName(schema.ARRAY),
    epochs=schema.Several(schema.ByName(schema.SCALAR)),
    ends=schema.Several(schema.COUNT),
)


class Recorder:
    """Records the hyper-parameters and the loss of each update, and the values of each epoch.

    Parameters
    ----------
    trainer : mx.gluon.Trainer
        The trainer with the hyper-parameters, by fastai's names (:class:`HyperParameters`).
    groups : sequence, optional
        Parameter groups, as for :class:`HyperParameters`.
    keys : sequence of str, optional
        Hyper-parameters to record in addition to lr, wd, mom, sqr_mom and eps.
    history : sequence of dict
        The epochs of earlier fits.

    Attributes
    ----------
    epochs : list of dict
        The values of each epoch: 'fit' and 'epoch', both from 0, 'train_loss', 'valid_loss',
        metrics, 'time' in seconds. It keeps the epochs of earlier fits; all else is of one fit.

    Raises
    ------
    TypeError, ValueError
        If the groups or keys do not fit the trainer.

    >>> import mxnet as mx
    >>> net = mx.gluon.nn.Dense(1, in_units=1)
    >>> net.initialize()
    >>> trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5})
    >>> recorder = Recorder(trainer)
    >>> recorder.record(loss=0.7)  # after each trainer.step
    >>> recorder.hps["lr"], recorder.losses
    (array([0.5]), array([0.7]))
    """

    def __init__(
        self,
        trainer: mx.gluon.Trainer,
        groups: Optional[Sequence[Any]] = None,
        keys: Sequence[str] = (),
        history: Sequence[Dict[str, Value]] = (),
    ) -> None:
        self._hypers = HyperParameters(trainer, groups)
        known = [name for name in self._hypers.names if name in FASTAI_NAMES]
        self.keys = list(dict.fromkeys([*known, *keys]))
        for key in self.keys:
            self._hypers.attribute(key)
        self._values = {key: array("d") for key in self.keys}  # a number per update and group
        self._losses: List[Any] = []
        self._known = 0  # the number of losses that have been read
        self._ends: List[int] = []  # the number of updates at the end of each epoch
        self.epochs: List[Dict[str, Value]] = list(history)
        self._fit = _number_after(self.epochs)
        self._search: Optional[LRFinderResult] = None
        self._searched_at = 0  # the number of updates before it

    def record(self, loss: Any) -> None:
        """Record the loss of an update and its hyper-parameters.

        Parameters
        ----------
        loss : float
            A number, or an object for `float()`, for example a PendingLoss. It is read two updates
            later, or ten with several workers, so that MXNet need not wait.
        """
        for key, values in self._values.items():
            values.extend(math.nan if one is None else one for one in self._hypers[key])
        self._losses.append(loss)
        self._read(len(self._losses) - getattr(loss, "late", LATE))

    def end_epoch(self, **values: Value) -> None:
        """Record the values of an epoch."""
        self.epochs.append({"fit": self._fit, "epoch": len(self._ends), **values})
        self._ends.append(len(self))

    def __len__(self) -> int:
        return len(self._losses)

    @property
    def fit_epochs(self) -> List[Dict[str, Value]]:
        """The epochs of the last fit."""
        return self.epochs[len(self.epochs) - len(self._ends) :]

    @property
    def ends(self) -> List[int]:
        """The number of updates of the last fit up to the end of each of :attr:`fit_epochs`."""
        return list(self._ends)

    @property
    def search(self) -> Optional[LRFinderResult]:
        """The result of the last `learner.lr_find()`; None before the first."""
        return self._search

    @search.setter
    def search(self, result: Optional[LRFinderResult]) -> None:
        self._search, self._searched_at = result, len(self)

    @property
    def losses(self) -> np.ndarray:
        """The loss of each update, (n,); after a search, its losses until the next update.

        With several workers, all of them have to read it if an epoch is not yet over.
        """
        if self._shown_search is not None:
            return self._shown_search.losses.copy()
        return self._own_losses

    def last_losses(self, count: int) -> List[float]:
        """Return the losses of the last `count` updates, or of all if there are fewer."""
        self._read(len(self._losses))
        return self._losses[max(len(self._losses) - count, 0) :]

    def known_losses(self, start: int) -> List[float]:
        """Return the losses from update `start`, from 0, that are known without waiting."""
        return self._losses[start : self._known]

    @property
    def train_loss(self) -> float:
        """The mean loss of the updates since the last epoch ended; nan if there are none."""
        losses = self.last_losses(len(self) - (self._ends[-1] if self._ends else 0))
        return float(np.mean(losses)) if losses else math.nan

    @property
    def last_loss(self) -> Optional[float]:
        """The latest loss that is known without waiting for MXNet."""
        return self._losses[self._known - 1] if self._known else None

    @property
    def lrs(self) -> np.ndarray:
        """The rate of the last group at each of :attr:`losses`, of shape (n,)."""
        if self._shown_search is not None:
            return self._shown_search.lrs.copy()
        return self.hps["lr"]

    @property
    def values(self) -> List[List[Value]]:
        """The training loss, validation loss and metrics of each epoch, if it has them."""
        others = ("fit", "epoch", "time")
        return [[v for name, v in one.items() if name not in others] for one in self.fit_epochs]

    @property
    def hps(self) -> Dict[str, np.ndarray]:
        """The values of each hyper-parameter in the last group at each update, (n,)."""
        return {key: values[:, -1] for key, values in self.group_hps.items()}

    @property
    def group_hps(self) -> Dict[str, np.ndarray]:
        """The values of each hyper-parameter at each update in each group, (n, groups)."""
        groups = len(self._hypers.groups)
        return {key: np.array(values).reshape(-1, groups) for key, values in self._values.items()}

    def hps_at(self, n: int) -> Dict[str, List[float]]:
        """Return the values of each hyper-parameter at update `n`, from 1, by group."""
        groups = len(self._hypers.groups)
        part = slice((n - 1) * groups, n * groups)
        return {key: values[part].tolist() for key, values in self._values.items()}

    @property
    def last_hps(self) -> Dict[str, List[float]]:
        """The values of each hyper-parameter at the last update, by group; [] before the first."""
        groups = len(self._hypers.groups)
        return {key: values[-groups:].tolist() for key, values in self._values.items()}

    @property
    def min_grad_lr(self) -> Optional[float]:
        """The rate at which the last search's loss fell most steeply, as in fastai 1."""
        return self._searched().suggestions["min_grad"]

    def plot_loss(
        self,
        skip_start: int = 5,
        with_valid: bool = True,
        ax: "Optional[Axes]" = None,
        show: bool = False,
    ) -> "Axes":
        """Draw the training loss, raw and smoothed, and the epochs' validation loss over updates.

        Raises
        ------
        RuntimeError
            Before the first update.
        """
        self._check_begun()
        valid = [
            (end, epoch["valid_loss"])
            for end, epoch in zip(self._ends, self.fit_epochs)
            if with_valid and "valid_loss" in epoch
        ]
        losses = self._own_losses
        smoothed = centred_mean(losses)
        title = f"Training loss at the end: {smoothed[-1]:.3g}"
        known = [one for one in valid if math.isfinite(one[1])]
        if known:
            end, lowest = min(known, key=lambda one: one[1])
            epoch = self.fit_epochs[self._ends.index(end)]["epoch"]
            title = f"Lowest validation loss: {lowest:.3g}, epoch {epoch}"
        axes = plotting.plot_losses(losses, valid, skip_start, ax, smoothed, title)
        return plotting.shown(axes, show)

    def plot_sched(
        self,
        keys: Union[str, Sequence[str], None] = None,
        figsize: Any = None,
        show: bool = False,
    ) -> "List[Axes]":
        """Draw the hyper-parameters of all updates, by default those that changed.

        Raises
        ------
        RuntimeError
            Before the first update.
        """
        self._check_begun()
        recorded = self.group_hps
        if keys is None:
            moved = [key for key, values in recorded.items() if np.ptp(values, axis=0).any()]
            keys = moved or ["lr"]
        return plotting.shown(plotting.plot_hyper_parameters(recorded, keys, figsize), show)

    def plot_lr_find(
        self,
        skip_end: int = 5,
        *,
        skip_start: int = 0,
        suggestion: bool = False,
        ax: "Optional[Axes]" = None,
        show: bool = False,
    ) -> "Axes":
        """Draw the last search as fastai does, smoothed, and return the Axes.

        Parameters
        ----------
        skip_start, skip_end : int
            Points to leave out at the start and at the end, at least 0.
        suggestion : bool
            Whether to mark :attr:`min_grad_lr` with a red dot.
        ax : matplotlib Axes, optional
            Where to draw; by default on a new figure.
        show : bool
            Whether to show the picture; needed in a script.

        Raises
        ------
        RuntimeError
            Before the first search.
        TypeError, ValueError
            If a number is outside its bounds.
        """
        owner = "Recorder.plot_lr_find"
        skip_start = _check.integer(owner, "skip_start", skip_start, 0)
        skip_end = _check.integer(owner, "skip_end", skip_end, 0)
        search = self._searched()
        smoothed = exponential_mean(search.losses)
        dots = {}
        if suggestion and self.min_grad_lr is not None:
            loss = smoothed[np.argmin(np.abs(search.lrs - self.min_grad_lr))]
            dots[f"steepest, {self.min_grad_lr:.2g}"] = self.min_grad_lr, loss
        part = slice(skip_start, len(search) - skip_end)
        axes = plotting.plot_smoothed_search(search.lrs[part], smoothed[part], dots, ax)
        return plotting.shown(axes, show)

    def plot(
        self,
        skip_start: int = 10,
        skip_end: int = 5,
        suggestion: bool = False,
        *,
        ax: "Optional[Axes]" = None,
        show: bool = False,
    ) -> "Axes":
        """Draw the last search with :meth:`plot_lr_find`, as fastai 1 does, and return the Axes.

        With `suggestion` it also prints :attr:`min_grad_lr`, as in fastai 1.

        Raises
        ------
        RuntimeError, TypeError, ValueError
            As :meth:`plot_lr_find`.
        """
        axes = self.plot_lr_find(
            skip_end, skip_start=skip_start, suggestion=suggestion, ax=ax, show=show
        )
        if suggestion and self.min_grad_lr is not None:
            print(f"Min numerical gradient: {self.min_grad_lr:.2E}")  # noqa: T201 - as fastai 1
        return axes

    def to_csv(self, of: str = "updates") -> str:
        """Return a table of the 'updates' or of the 'epochs' as CSV.

        Several groups have one column each, ``lr_0``, ``lr_1`` and so on.

        Raises
        ------
        ValueError
            If `of` is neither.
        """
        text = io.StringIO()
        if _check.one_of("Recorder.to_csv", "of", of, ["updates", "epochs"]) == "epochs":
            write_csv(text, self.epochs)
            return text.getvalue()
        columns = {"iteration": list(range(1, len(self) + 1)), "loss": self._own_losses.tolist()}
        for key, values in self.group_hps.items():
            several = values.shape[1] > 1
            for group, column in enumerate(values.T):
                columns[f"{key}_{group}" if several else key] = column.tolist()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(columns)
        rows.writerows(zip(*columns.values()))
        return text.getvalue()

    def to_json(self) -> str:
        """Return all data as JSON: 'losses', 'hps' by group, 'epochs', 'ends'.

        Numbers that are not finite become the strings nan, inf and -inf.
        """
        return json.dumps(_written(self.as_data()))

    def as_data(self) -> Dict[str, Any]:
        """Return all data as numbers, lists, dictionaries and arrays."""
        return {
            "losses": self._own_losses,
            "hps": self.group_hps,
            "epochs": self.epochs,
            "ends": self._ends,
        }

    def take_data(self, data: Any, place: str = "recorder") -> None:
        """Replace all data by what :meth:`as_data` returned.

        Raises
        ------
        ValueError
            If it is no such data; the message names the wrong part, as a path that begins with
            `place`.
        """
        _DATA.check(data, place)
        updates, groups = len(data["losses"]), len(self._hypers.groups)
        schema.arrays_of((updates,), np.float64).check(data["losses"], f"{place}.losses")
        for key, rows in data["hps"].items():
            schema.arrays_of((updates, groups), np.float64).check(rows, f"{place}.hps[{key!r}]")
        for number, epoch in enumerate(data["epochs"]):
            schema.COUNT.check(epoch.get("fit", 0), f"{place}.epochs[{number}]['fit']")
        if len(data["ends"]) > len(data["epochs"]):
            expected = f"at most {len(data['epochs'])} numbers, one for each of the epochs"
            raise schema.astray(f"{place}.ends", expected, data["ends"])
        unknown = np.full((updates, groups), np.nan)  # e.g. another MXNet version's file
        self.keys = list(dict.fromkeys([*self.keys, *filter(self._hypers.has, data["hps"])]))
        self._values = {
            key: array("d", np.ravel(data["hps"].get(key, unknown))) for key in self.keys
        }
        self._losses = np.asarray(data["losses"]).tolist()
        self._known = len(self._losses)
        self.epochs = [{"fit": 0, **epoch} for epoch in data["epochs"]]  # old files have no 'fit'
        self._ends = list(data["ends"])
        self._fit = _number_after(self.epochs[: len(self.epochs) - len(self._ends)])

    def __repr__(self) -> str:
        lines = [f"Recorder({len(self)} updates, {len(self.epochs)} epochs)"]
        lines += ["  ".join(f"{cell:>10}" for cell in row) for row in self._table()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return _html.table(repr(self).splitlines()[0], self._table())

    def _table(self) -> List[List[str]]:
        if not self.epochs:
            return []
        names = [name for name in names_of(self.epochs) if name != "fit" or self._fit]
        rows = [[cell(name, epoch.get(name)) for name in names] for epoch in self.epochs]
        return [names, *rows]

    def _read(self, count: int) -> None:
        """Convert the first `count` losses to floats, in place, if not done yet."""
        while self._known < count:
            self._losses[self._known] = float(self._losses[self._known])
            self._known += 1

    def _check_begun(self) -> None:
        if len(self) == 0:
            raise RuntimeError(
                "Recorder: there are no updates to draw yet. Start a fit, for example "
                "learner.fit_one_cycle(n_epoch, lr_max)."
            )

    @property
    def _own_losses(self) -> np.ndarray:
        return np.array(self.last_losses(len(self)), dtype=np.float64)

    @property
    def _shown_search(self) -> Optional[LRFinderResult]:
        """The last search, if no update has come after it."""
        return self._search if self._searched_at == len(self) else None

    def _searched(self) -> LRFinderResult:
        if self.search is None:
            raise RuntimeError("Recorder: there is no search yet. Call learner.lr_find().")
        return self.search


def _number_after(epochs: Sequence[Dict[str, Value]]) -> int:
    """Return the number of the fit that comes after these epochs."""
    return int(epochs[-1]["fit"]) + 1 if epochs else 0


def _written(value: Any) -> Any:
    """Return data for JSON: lists for arrays, strings for numbers that are not finite."""
    if isinstance(value, dict):
        return {name: _written(one) for name, one in value.items()}
    if isinstance(value, np.ndarray):
        return _written(value.tolist())
    if isinstance(value, list):
        return [_written(one) for one in value]
    return written_number(value) if isinstance(value, float) else value
