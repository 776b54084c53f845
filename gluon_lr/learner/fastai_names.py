"""fastai's names for a Learner's data, model and optimizer."""

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
    """Return whether the callbacks turn their fit into a search."""
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
        """Return a batch of another pass, on the first context; the place in the data stays.

        A batch of an `mx.io.DataIter` becomes a tuple of its data and labels.
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
        The learner's trainer.
    groups : list of list of mx.gluon.Parameter
        The parameter groups.
    moved : sequence of str
        Hyper-parameters that the running fit sets.
    """

    def __init__(
        self, trainer: mx.gluon.Trainer, groups: List[Group], moved: Sequence[str] = ()
    ) -> None:
        self._trainer = trainer
        self._groups = groups
        self._moved = moved

    @property
    def hypers(self) -> List[Mapping[str, float]]:
        """The lr, wd, mom, sqr_mom and eps of each parameter group, if the optimizer has them.

        These are read-only; use :meth:`set_hyper` to set them.
        """
        hypers = self._hypers
        names = [name for name in FASTAI_NAMES if hypers.has(name)]
        by_name = {name: hypers[name] for name in names}
        return [
            MappingProxyType({name: by_group[group] for name, by_group in by_name.items()})
            for group in range(len(self._groups))
        ]

    def set_hyper(self, key: str, value: Any) -> None:
        """Set a hyper-parameter to a number, or one number per group, for the next updates.

        Raises
        ------
        TypeError, ValueError
            As :class:`gluon_lr.HyperParameters`.
        RuntimeError
            If a fit sets it, and would overwrite the value before the update.
        """
        if key in self._moved:
            raise RuntimeError(
                f"Learner: the running fit sets {key} before each update, and would overwrite "
                f"this value. Start the fit without {key}, or pass your own subclass of "
                "ParamScheduler as cbs=."
            )
        self._hypers[key] = value

    def clear_state(self) -> None:
        """Reset the optimizer: delete momentum and moments, count updates from 0."""
        _trainer.forget_updates(self._trainer)

    def state_dict(self) -> Dict[str, List[Any]]:
        """Return the optimizer's state of each parameter, and the hyper-parameters by group.

        'state' has a dict for each of the trainer's parameters, empty before its first update.
        Adam's dicts have 'grad_avg', 'sqr_avg' and 'step'. For other optimizers, MXNet's arrays
        are 'state_0', 'state_1' and so on. 'hypers' is :attr:`hypers`.
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
    """A loss function that returns the mean of another's losses."""

    def __init__(self, loss: Callable[..., Any]) -> None:
        self.loss = loss

    def __call__(self, output: Any, *labels: Any) -> Any:
        return self.loss(output, *labels).mean()

    def __repr__(self) -> str:
        return f"the mean of {self.loss!r}"


class FastaiNames(IterationLearner):
    """fastai's names for the attributes of a Learner.

    Attributes
    ----------
    n_epoch : int
        Epochs of the running fit, or else of the last one; 0 before the first.
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
        """Whether a fit is running that is not a search."""
        return self._fitting is not None and not self.is_searching

    @property
    def is_searching(self) -> bool:
        """Whether the running fit is a search, by an LRFinder among its callbacks."""
        return self._fitting is not None and make_a_search(self._fitting.callbacks)

    @property
    def loss_func(self) -> Callable[..., Any]:
        """The mean of `loss` for (output, label), an array of one number; assignment sets `loss`.

        Raises
        ------
        RuntimeError
            If `compute_loss` was given, which takes a batch.
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
        """The default rate of fits, which is the trainer's own, not that of a running fit."""
        return self.trainer.learning_rate if self._fitting is None else self._fitting.own_lr

    @property
    def place_in_fit(self) -> Tuple[int, int]:
        """The number of the fit's next update, from 1, and its total number of updates.

        Raises
        ------
        RuntimeError
            If no fit is running.
        """
        return self._fit_at_work.place

    @property
    def epoch(self) -> int:
        """The number of the running fit's epoch, from 0; at ``after_epoch``, that of the next one.

        Raises
        ------
        RuntimeError
            If no fit is running.
        """
        return self._fit_at_work.fit.epochs_ended

    def position_of(self, n: int) -> float:
        """Return the position, from 0 to 1, of the fit's update `n`, from 1, on its curves.

        Raises
        ------
        RuntimeError
            If no fit is running.
        """
        return self._fit_at_work.fit.position_of(n)

    def positions_of(self, n: int) -> List[List[float]]:
        """Return the positions whose values the fit mixes at update `n`, from 1, with weights.

        It is the single position of :meth:`position_of`, except for some updates after ``extend``.

        Raises
        ------
        RuntimeError
            If no fit is running.
        """
        return self._fit_at_work.fit.positions_of(n)

    @property
    def work_of_fit(self) -> Tuple[float, float, str]:
        """The work of the fit done so far, its total, and the unit, 'batch' or 's'.

        Raises
        ------
        RuntimeError
            If no fit is running.
        """
        return self._fit_at_work.fit.work

    @property
    def pct_train(self) -> float:
        """The part of the fit that is done, from 0 to 1, which is its position on the curves.

        Raises
        ------
        RuntimeError
            If no fit is running.
        """
        return self.position_of(self.place_in_fit[0])

    @property
    def _fit_at_work(self) -> Fitting:
        if self._fitting is None:
            raise RuntimeError("Learner: no fit is running. Read this in a callback, during a fit.")
        return self._fitting
