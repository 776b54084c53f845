"""A Learner by fastai's names: its data, its model and its optimizer."""

from types import MappingProxyType
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from .. import _trainer
from .._mxnet import mx
from ..data.structure import Batch
from ..events import Callback
from ..finder.finder import LRFinder
from ..hyper.groups import Group
from ..hyper.parameters import FASTAI_NAMES, HyperParameters
from ..training.iteration import IterationLearner
from .fitting import Fitting

_MOMENTS = {mx.optimizer.Adam: ("grad_avg", "sqr_avg")}


def make_a_search(callbacks: Iterable[Callback]) -> bool:
    """Say whether callbacks make a search of their fit."""
    return any(isinstance(one, LRFinder) for one in callbacks)


class DataLoaders:
    """The data of a learner, as ``learner.dls``.

    Attributes
    ----------
    train : iterable
        The learner's `data_loader`.
    valid : iterable or None
        Its `valid_loader`.
    """

    def __init__(self, learner: IterationLearner) -> None:
        self._learner = learner

    @property
    def train(self) -> Iterable[Batch]:
        """The learner's `data_loader`."""
        return self._learner.data_loader

    @property
    def valid(self) -> Optional[Iterable[Batch]]:
        """The learner's `valid_loader`."""
        return self._learner.valid_loader

    def one_batch(self) -> Batch:
        """Return a batch of another pass, on the learner's first context; nothing moves on.

        One of an `mx.io.DataIter` is a tuple of its data and labels.
        """
        batch = self._learner.first_batch()
        if isinstance(batch, mx.io.DataBatch):
            return (*batch.data, *batch.label)
        return batch

    def __repr__(self) -> str:
        return f"DataLoaders(train={self.train!r}, valid={self.valid!r})"


class OptimizerOfLearner:
    """A learner's optimizer with its states, as ``learner.opt``, by fastai's names.

    Parameters
    ----------
    trainer : mx.gluon.Trainer
        What makes the updates.
    groups : list of list of mx.gluon.Parameter
        The parameter groups.
    moved : sequence of str
        Hyper-parameters that a fit at work moves itself.
    """

    def __init__(
        self, trainer: mx.gluon.Trainer, groups: List[Group], moved: Sequence[str] = ()
    ) -> None:
        self._trainer = trainer
        self._groups = groups
        self._moved = moved

    @property
    def hypers(self) -> List[Mapping[str, float]]:
        """For each parameter group its lr, wd, mom, sqr_mom and eps, as far as there are such.

        They are read here, and set by :meth:`set_hyper`.
        """
        hypers = self._hypers
        names = [name for name in FASTAI_NAMES if hypers.has(name)]
        by_name = {name: hypers[name] for name in names}
        return [
            MappingProxyType({name: by_group[group] for name, by_group in by_name.items()})
            for group in range(len(self._groups))
        ]

    def set_hyper(self, key: str, value: Any) -> None:
        """Set a hyper-parameter to a number, or to one a group, for the next updates.

        Raises
        ------
        TypeError, ValueError
            As :class:`gluon_lr.HyperParameters`.
        RuntimeError
            Where a fit moves it, and would give it another value before the update.
        """
        if key in self._moved:
            raise RuntimeError(
                f"Learner: the fit moves {key} itself, and what is set here would be lost. Give "
                f"the fit no {key}, or cbs= a ParamScheduler of your own class."
            )
        self._hypers[key] = value

    def clear_state(self) -> None:
        """Forget momentum, moments and counts of updates, as if no update had been made."""
        _trainer.forget_updates(self._trainer)

    def state_dict(self) -> Dict[str, List[Any]]:
        """Return what is remembered of each parameter, and the hyper-parameters of each group.

        Under 'state' there is a dict for each of the trainer's parameters, empty before its first
        update. Adam's hold 'grad_avg', 'sqr_avg' and 'step'. The others' arrays, which MXNet
        reckons in ways of its own, are 'state_0', 'state_1' and so on. Under 'hypers' is what
        :attr:`hypers` is.
        """
        states = _trainer.updaters_of(self._trainer)[0].states
        count = len(_trainer.parameters_of(self._trainer))
        return {
            "state": [self._state(n, states.get(n)) for n in range(count)],
            "hypers": self.hypers,
        }

    @property
    def _hypers(self) -> HyperParameters:
        return HyperParameters(self._trainer, self._groups)

    def _state(self, index: int, state: Any) -> Dict[str, Any]:
        arrays = list(_trainer.arrays_in([state]))
        optimizer = self._trainer.optimizer
        moments: Sequence[str] = _MOMENTS.get(type(optimizer), ())
        if not arrays or len(arrays) != len(moments):
            return {f"state_{n}": array for n, array in enumerate(arrays)}
        return {**dict(zip(moments, arrays)), "step": optimizer._index_update_count[index]}

    def __repr__(self) -> str:
        return f"OptimizerOfLearner({type(self._trainer.optimizer).__name__}, {self.hypers})"


class _MeanLoss:
    """The mean of what a loss returns."""

    def __init__(self, loss: Callable[..., Any]) -> None:
        self.loss = loss

    def __call__(self, output: Any, *labels: Any) -> Any:
        return self.loss(output, *labels).mean()

    def __repr__(self) -> str:
        return f"the mean of {self.loss!r}"


class FastaiNames(IterationLearner):
    """The names by which fastai's pages read a Learner.

    Attributes
    ----------
    n_epoch : int
        Epochs of the fit at work, or of the last one; 0 before the first.
    """

    groups: List[Group]
    n_epoch: int
    _fitting: Optional[Fitting]

    @property
    def model(self) -> mx.gluon.Block:
        """The net."""
        return self.net

    @property
    def dls(self) -> DataLoaders:
        """The data, as `train`, `valid` and `one_batch()`."""
        return DataLoaders(self)

    @property
    def opt(self) -> OptimizerOfLearner:
        """The optimizer, with `hypers`, `set_hyper()`, `state_dict()` and `clear_state()`."""
        moved = () if self._fitting is None else self._fitting.moved
        return OptimizerOfLearner(self.trainer, self.groups, moved)

    @property
    def is_fitting(self) -> bool:
        """Whether a fit is at work, and no search."""
        return self._fitting is not None and not self.is_searching

    @property
    def is_searching(self) -> bool:
        """Whether the fit at work is a search, of an LRFinder among its callbacks."""
        return self._fitting is not None and make_a_search(self._fitting.callbacks)

    @property
    def loss_func(self) -> Callable[..., Any]:
        """From (output, label) to the mean loss, an array of one; assigned, it is the `loss`.

        Raises
        ------
        RuntimeError
            Where `compute_loss` was given, which takes a batch.
        """
        if "compute_loss" in vars(self):
            raise RuntimeError(
                "Learner: compute_loss computes the losses, so there is no loss_func; call "
                "learner.compute_loss(net, batch)."
            )
        return _MeanLoss(self.loss)

    @loss_func.setter
    def loss_func(self, loss: Callable[..., Any]) -> None:
        self.loss_fn = loss.loss if isinstance(loss, _MeanLoss) else loss

    @property
    def lr(self) -> float:
        """The rate that fits have by default, the trainer's own, also while a fit moves that."""
        return self.trainer.learning_rate if self._fitting is None else self._fitting.own_lr

    @property
    def place_in_fit(self) -> Tuple[int, int]:
        """The number of the fit's next update, from 1, and how many updates it makes.

        Raises
        ------
        RuntimeError
            Where no fit is at work.
        """
        return self._fit_at_work.place

    @property
    def epoch(self) -> int:
        """The number of the epoch of the fit at work, from 0; at ``after_epoch`` of the next one.

        Raises
        ------
        RuntimeError
            Where no fit is at work.
        """
        return self._fit_at_work.fit.epochs_ended

    def position_of(self, n: int) -> float:
        """Return where the fit's update `n`, from 1, is on its curves, from 0 to 1.

        Raises
        ------
        RuntimeError
            Where no fit is at work.
        """
        return self._fit_at_work.fit.position_of(n)

    def positions_of(self, n: int) -> List[List[float]]:
        """Return the positions whose values the fit mixes at update `n`, from 1, and their weights.

        That is one, :meth:`position_of`, but for some updates after ``extend``.

        Raises
        ------
        RuntimeError
            Where no fit is at work.
        """
        return self._fit_at_work.fit.positions_of(n)

    @property
    def work_of_fit(self) -> Tuple[float, float, str]:
        """How much of the fit is done, how much there is, and the unit, 'batch' or 's'.

        Raises
        ------
        RuntimeError
            Where no fit is at work.
        """
        return self._fit_at_work.fit.work

    @property
    def pct_train(self) -> float:
        """What part of the fit's updates is made, from 0, which is where its curves are.

        Raises
        ------
        RuntimeError
            Where no fit is at work.
        """
        return self.position_of(self.place_in_fit[0])

    @property
    def _fit_at_work(self) -> Fitting:
        if self._fitting is None:
            raise RuntimeError("Learner: no fit is at work; ask for its place at its events.")
        return self._fitting
