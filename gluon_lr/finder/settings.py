"""The settings of a comparison: what they are called, and a learner at each."""

import itertools
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence

from .. import _check
from .._mxnet import mx
from .._trainer import begun_anew, exchange_optimizer
from ..data.batch_size import of_batch_size
from ..hyper.parameters import HyperParameters
from ..state.transaction import Together, Transaction
from ..training.iteration import IterationLearner
from .comparison import Label, Setting, name_of
from .start import put_back_after, trainers_of

OWNER = "LRFinder.compare"
MakeLoader = Callable[[int], Iterable[Any]]
_ORDER = ("net", "batch_size", "optimizer")  # before the hyper-parameters of what these make
_SHARES_OF_THE_PAST = ("mom", "sqr_mom", "momentum", "beta1", "beta2", "gamma1", "gamma2", "rho")
_WITH_STEPS = (mx.optimizer.SGD, mx.optimizer.NAG)  # whose momentum makes steps longer


class Choice(NamedTuple):
    """A value that a name may have, and what a result calls it."""

    label: Label
    value: Any


def choices_of(values: Any) -> Dict[str, List[Choice]]:
    """Return what is to be compared, by name.

    Raises
    ------
    TypeError, ValueError
        Where it is no dict of lists, where a name has no values, and where two are called alike.
    """
    if not isinstance(values, Mapping) or not values:
        constraint = "a dict of lists of values, by name"
        remedy = 'Write compare({"wd": [0, 1e-4, 1e-3], "mom": [0.8, 0.9, 0.95]}).'
        raise TypeError(_check.message(OWNER, "values", constraint, values, remedy))
    return {name: _choices(name, given) for name, given in values.items()}


def _choices(name: str, given: Any) -> List[Choice]:
    if isinstance(given, Mapping):
        choices = [Choice(str(label), value) for label, value in given.items()]
    elif isinstance(given, str) or not hasattr(given, "__iter__"):
        constraint = f"lists of values: {{{name!r}: [...]}}"
        raise TypeError(_check.message(OWNER, "values", constraint, given))
    else:
        choices = [Choice(_label(name, value), value) for value in given]
    labels = [choice.label for choice in choices]
    if not labels or len(set(labels)) < len(labels):
        constraint = f"one or more values of {name!r}, each once"
        remedy = f'Values that look alike get names: {{{name!r}: {{"first": ..., "second": ...}}}}.'
        raise ValueError(_check.message(OWNER, "values", constraint, labels, remedy))
    return [Choice(choice.label, _value(name, choice.value)) for choice in choices]


def _label(name: str, value: Any) -> Label:
    if name == "batch_size":
        return _check.integer(OWNER, name, value, 1)
    if name == "optimizer":
        named, params = _optimizer_and_params(value)
        name_of_class = named if isinstance(named, str) else type(named).__name__
        return " ".join([name_of_class, *(f"{key} {one}" for key, one in params.items())])
    if name == "net":
        return str(getattr(value, "__name__", type(value).__name__))
    return _number(name, value)


def _value(name: str, value: Any) -> Any:
    if name == "batch_size":
        return _check.integer(OWNER, name, value, 1)
    if name == "optimizer":
        named, params = _optimizer_and_params(value)
        if isinstance(named, str):
            _check.one_of(OWNER, name, named.lower(), sorted(mx.optimizer.Optimizer.opt_registry))
            return mx.optimizer.create(named, **params)
        return named
    if name == "net":
        if isinstance(value, mx.gluon.Block) or not callable(value):
            constraint = "functions that make a net, so that it can begin anew"
            remedy = (
                "Write {'net': {'narrow': lambda: make_net(32), 'wide': lambda: make_net(64)}}."
            )
            raise TypeError(_check.message(OWNER, "net", constraint, value, remedy))
        return value
    return _number(name, value)


def _number(name: str, value: Any) -> float:
    if name in _SHARES_OF_THE_PAST:
        return _check.real(OWNER, name, value, minimum=0, below=1)
    return _check.real(OWNER, name, value)


def _optimizer_and_params(value: Any) -> Any:
    named, params = value if isinstance(value, tuple) and len(value) == 2 else (value, {})
    if not isinstance(named, (str, mx.optimizer.Optimizer)) or not isinstance(params, Mapping):
        constraint = "names, (name, parameters) or mx.optimizer.Optimizers"
        remedy = 'Write {"optimizer": ["sgd", ("adam", {"beta1": 0.8})]}.'
        raise TypeError(_check.message(OWNER, "optimizer", constraint, value, remedy))
    return named, params


def families_of(
    choices: Mapping[str, Sequence[Choice]], grid: bool
) -> List[List[Dict[str, Choice]]]:
    """Return the settings to compare with one another: all combinations, or each name's values."""
    if grid:
        combined = itertools.product(*choices.values())
        return [[dict(zip(choices, together)) for together in combined]]
    return [[{name: one} for one in several] for name, several in choices.items()]


class Variant:
    """A learner at one setting.

    Parameters
    ----------
    learner : Learner
        Or one of the user's own, as :class:`LRFinder` takes it.
    chosen : dict
        The value of each name.
    make_loader : callable, optional
        From a batch size to a loader.

    Attributes
    ----------
    setting : dict
        What a result calls it.
    learner : Learner
        What is searched with, within :meth:`at_work`.
    samples : float
        How many times the samples of the learner's own batches one of its batches has.

    Raises
    ------
    TypeError, ValueError
        Where a name is no hyper-parameter of the optimizer, or cannot be set with this learner.
    """

    def __init__(
        self, learner: Any, chosen: Mapping[str, Choice], make_loader: Optional[MakeLoader]
    ) -> None:
        self.setting: Setting = {name: one.label for name, one in chosen.items()}
        values = {name: one.value for name, one in chosen.items()}
        for name in _ORDER:
            if name in values and not isinstance(learner, IterationLearner):
                constraint = "hyper-parameters of the optimizer for a learner of one's own"
                raise TypeError(_check.message(OWNER, "values", constraint, name))
        if "lr" in values:
            constraint = "other than 'lr', whose values the search itself goes through"
            raise ValueError(_check.message(OWNER, "values", constraint, "lr"))
        self.samples = 1.0
        self._loader = None
        if "batch_size" in values:
            self._loader, self.samples = _resized(learner, values.pop("batch_size"), make_loader)
        self.learner = learner
        if "net" in values:
            self.learner = learner.of_net(values.pop("net")())
            self.learner.on_data_of(learner)
            self.learner.progress = False
        self._optimizer = values.pop("optimizer", None)
        self._hypers = values

    def at_work(self) -> Transaction:
        """Return a block in which the learner is so."""
        kept = put_back_after(self.learner, None)
        parts = [kept] if self._loader is None else [kept, self.learner.on_other_data(self._loader)]
        return Together(*parts, _Set(self))

    def set(self) -> None:
        """Have the learner be so, from now on."""
        for trainer in trainers_of(self.learner):
            if self._optimizer is not None:
                exchange_optimizer(trainer, begun_anew(self._optimizer))
            hypers = HyperParameters(trainer, getattr(self.learner, "groups", None))
            for name, value in self._hypers.items():
                hypers[name] = value

    @property
    def name(self) -> str:
        """The setting as a text."""
        return name_of(self.setting)

    @property
    def momentum(self) -> Optional[float]:
        """The momentum of SGD or NAG; to be asked for within :meth:`at_work`."""
        optimizer = trainers_of(self.learner)[0].optimizer
        return float(optimizer.momentum) if isinstance(optimizer, _WITH_STEPS) else None

    @property
    def has_parts_of_batches(self) -> bool:
        """Whether it is a batch size, and each batch is split."""
        if self._loader is None:
            return False
        return isinstance(self.learner.ctx, list) or self.learner.workers.count > 1

    @property
    def resting(self) -> List[str]:
        """The hyper-parameters that stay where they are set, whatever a policy does with them."""
        return list(self._hypers)


class _Set(Transaction):
    def __init__(self, variant: Variant) -> None:
        self._variant = variant

    def begin(self) -> None:
        self._variant.set()

    def put_back(self) -> None:
        """Leave that to the block around it."""


def _resized(learner: Any, batch_size: int, make_loader: Optional[MakeLoader]) -> Any:
    """Return a loader of a batch size, and how many times its batches are the learner's own."""
    if make_loader is None:
        loader = of_batch_size(OWNER, learner.data_loader, batch_size)
    else:
        loader = make_loader(batch_size)
    return loader, batch_size / learner.samples_of_batch()
