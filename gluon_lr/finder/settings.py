"""The settings of a comparison: their names, and a learner with each setting."""

import itertools
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence

from .. import _check
from .._mxnet import mx
from .._trainer import begun_anew, exchange_optimizer
from ..data.batch_size import of_batch_size
from ..data.batches import check_loader
from ..hyper.parameters import RATE_IN_MOMENTUM, HyperParameters
from ..state.generators import GlobalState
from ..state.transaction import Together, Transaction, afterwards, at_first
from ..training.iteration import IterationLearner
from .comparison import Label, Setting, name_of
from .start import put_back_after, trainers_of

OWNER = "LRFinder.compare"
MakeLoader = Callable[[int], Iterable[Any]]
_OF_A_LEARNER = ("net", "batch_size", "optimizer")
_SHARES_OF_THE_PAST = ("mom", "sqr_mom", "momentum", "beta1", "beta2", "gamma1", "gamma2", "rho")
_OF_ANY_OPTIMIZER = ("wd", "clip_gradient", "multi_precision")


class Choice(NamedTuple):
    """A value of a name, and its label in a result."""

    label: Label
    value: Any


# -- what is compared --------------------------------------------------------------------------


def choices_of(values: Any) -> Dict[str, List[Choice]]:
    """Return the values to compare, by name.

    Raises
    ------
    TypeError, ValueError
        If `values` is not a dict of lists, a name has no values, or two values have one label.
    """
    if not isinstance(values, Mapping) or not values:
        constraint = "a dict of lists of values, by name"
        remedy = 'Write compare({"wd": [0, 1e-4, 1e-3], "mom": [0.8, 0.9, 0.95]}).'
        raise TypeError(_check.message(OWNER, "values", constraint, values, remedy))
    if "lr" in values or "learning_rate" in values:
        constraint = "a dict without the learning rate, which is found for each setting"
        raise ValueError(_check.message(OWNER, "values", constraint, list(values)))
    return {name: _choices(name, given) for name, given in values.items()}


def _choices(name: str, given: Any) -> List[Choice]:
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        constraint = f"lists of values: {{{name!r}: [...]}}"
        raise TypeError(_check.message(OWNER, "values", constraint, given))
    if isinstance(given, Mapping):
        choices = [Choice(str(label), _value(name, one)) for label, one in given.items()]
    else:
        checked = [_value(name, one) for one in given]
        choices = [Choice(_label(name, one), one) for one in checked]
    labels = [choice.label for choice in choices]
    if not labels or len(set(labels)) < len(labels):
        constraint = f"one or more different values of {name!r}"
        remedy = f'Name values that look alike: {{{name!r}: {{"first": ..., "second": ...}}}}.'
        raise ValueError(_check.message(OWNER, "values", constraint, labels, remedy))
    return choices


def _value(name: str, value: Any) -> Any:
    """Check a value: a number, the name of an optimizer with its parameters, or a function."""
    if name == "batch_size":
        return _check.integer(OWNER, name, value, 1)
    if name == "optimizer":
        return _optimizer_and_params(value)
    if name == "net":
        if isinstance(value, mx.gluon.Block) or not callable(value):
            constraint = "functions that make a new net"
            remedy = "Write {'net': {'narrow': make_narrow_net, 'wide': make_wide_net}}."
            raise TypeError(_check.message(OWNER, "net", constraint, value, remedy))
        return value
    if name in _SHARES_OF_THE_PAST:
        return _check.real(OWNER, name, value, minimum=0, below=1)
    return _check.real(OWNER, name, value)


def _optimizer_and_params(value: Any) -> Any:
    named, params = value if isinstance(value, tuple) and len(value) == 2 else (value, {})
    if not isinstance(named, (str, mx.optimizer.Optimizer)) or not isinstance(params, Mapping):
        constraint = "a name, (name, parameters) or an mx.optimizer.Optimizer"
        remedy = 'Write {"optimizer": ["sgd", ("adam", {"beta1": 0.8})]}.'
        raise TypeError(_check.message(OWNER, "optimizer", constraint, value, remedy))
    if isinstance(named, str):
        known = sorted(mx.optimizer.Optimizer.opt_registry)
        _check.one_of(OWNER, "optimizer", named.lower(), known)
        try:
            mx.optimizer.create(named, **params)
        except TypeError as error:
            constraint = f"parameters of {named}"
            message = _check.message(OWNER, "optimizer", constraint, dict(params), f"{error}.")
            raise TypeError(message) from None
    return named, dict(params)


def _label(name: str, value: Any) -> Label:
    if name == "optimizer":
        named, params = value
        name_of_class = named if isinstance(named, str) else type(named).__name__
        return " ".join([name_of_class, *(f"{key} {one}" for key, one in params.items())])
    if name == "net":
        return str(getattr(value, "__name__", type(value).__name__))
    number: Label = value
    return number


def families_of(
    choices: Mapping[str, Sequence[Choice]], grid: bool
) -> List[List[Dict[str, Choice]]]:
    """Return lists of settings to compare: one of all combinations, or one for each name."""
    if grid:
        combined = itertools.product(*choices.values())
        return [[dict(zip(choices, together)) for together in combined]]
    return [[{name: one} for one in several] for name, several in choices.items()]


# -- a learner with a setting --------------------------------------------------------------------


class Variant:
    """A learner with one setting.

    Parameters
    ----------
    learner : Learner
        A Learner or a custom learner, as for :class:`LRFinder`.
    chosen : dict
        The value of each name.
    make_loader : callable, optional
        Takes a batch size and returns a loader.

    Attributes
    ----------
    setting : dict
        The label of each name's value in a result.
    learner : Learner
        The learner to search with, within :meth:`at_work`.
    samples : float
        The samples in one of its batches, divided by those in one of the learner's own batches.

    Raises
    ------
    TypeError, ValueError
        If a name or a value cannot be set with this learner.
    """

    def __init__(
        self, learner: Any, chosen: Mapping[str, Choice], make_loader: Optional[MakeLoader]
    ) -> None:
        self.setting: Setting = {name: one.label for name, one in chosen.items()}
        values = {name: one.value for name, one in chosen.items()}
        of_a_learner = [name for name in values if name in _OF_A_LEARNER]
        if of_a_learner and not isinstance(learner, IterationLearner):
            constraint = "hyper-parameters of the optimizer for a custom learner"
            raise TypeError(_check.message(OWNER, "values", constraint, of_a_learner))
        self._anew = lambda: Variant(learner, chosen, make_loader)
        self.learner, self.samples, self._loader = learner, 1.0, None
        if "batch_size" in values:
            self._loader, self.samples = _resized(learner, values.pop("batch_size"), make_loader)
        self._make_net = values.pop("net", None)
        if self._make_net is not None:
            self.learner = _of_net(learner, self._make_net)
        self._optimizer = values.pop("optimizer", None)
        self._hypers = values

    def in_order(self, order: int) -> "Variant":
        """Return the variant for an order of the data: if it makes a net, with new weights."""
        return self._anew() if order and self._make_net is not None else self

    def at_work(self) -> Transaction:
        """Return a context manager within which the learner has this setting."""
        kept = put_back_after(self.learner, None)
        parts = [kept] if self._loader is None else [kept, self.learner.on_other_data(self._loader)]
        return Together(*parts, at_first(self.set))

    def set(self) -> None:
        """Apply the setting to the learner, without undoing it."""
        for trainer in trainers_of(self.learner):
            if self._optimizer is not None:
                exchange_optimizer(trainer, _made(self._optimizer, trainer.optimizer))
            hypers = HyperParameters(trainer, getattr(self.learner, "groups", None))
            for name, value in self._hypers.items():
                if not hypers.has(name):
                    kind = type(trainer.optimizer).__name__
                    others = [one for one in hypers.names if one != "lr"]
                    constraint = f"a dict with names from {', '.join([*_OF_A_LEARNER, *others])}"
                    remedy = f"All but the first three are hyper-parameters of {kind}."
                    raise ValueError(_check.message(OWNER, "values", constraint, name, remedy))
                hypers[name] = value

    def check(self) -> None:
        """Raise an error if fits cannot train with it; call this within :meth:`at_work`."""
        optimizer = trainers_of(self.learner)[0].optimizer
        corrects = getattr(self.learner, "momentum_correction", False)
        if corrects and not isinstance(optimizer, RATE_IN_MOMENTUM):
            constraint = "SGD or NAG if the Learner has momentum_correction=True"
            raise ValueError(_check.message(OWNER, "optimizer", constraint, self.name))

    @property
    def name(self) -> str:
        """The setting as a string."""
        return name_of(self.setting)

    @property
    def momentum(self) -> Optional[float]:
        """The momentum of SGD or NAG, else None; read this within :meth:`at_work`."""
        optimizer = trainers_of(self.learner)[0].optimizer
        return float(optimizer.momentum) if isinstance(optimizer, RATE_IN_MOMENTUM) else None

    @property
    def has_parts_of_batches(self) -> bool:
        """Whether it sets a batch size, and each batch is split over contexts or workers."""
        if self._loader is None:
            return False
        return isinstance(self.learner.ctx, list) or self.learner.workers.count > 1

    def rests(self, name: str) -> bool:
        """Return whether the setting fixes a hyper-parameter, so that a policy must not move it.

        Call this within :meth:`at_work`.
        """
        hypers = HyperParameters(trainers_of(self.learner)[0])
        params = () if self._optimizer is None else self._optimizer[1]
        set_ = {hypers.attribute(one) for one in [*self._hypers, *params] if hypers.has(one)}
        return hypers.has(name) and hypers.attribute(name) in set_


def _resized(learner: Any, batch_size: int, make_loader: Optional[MakeLoader]) -> Any:
    """Return a loader with a batch size, and the ratio of that to the learner's batch size."""
    if make_loader is None:
        loader = of_batch_size(OWNER, learner.data_loader, batch_size)
    else:
        loader = make_loader(batch_size)
        check_loader(OWNER, "make_loader", loader)
    own = learner.samples_of_batch()
    generators, other = afterwards(GlobalState.get().put_back), learner.on_other_data(loader)
    with generators as again, again, other as once_more, once_more:
        samples = learner.samples_of_batch()
    if samples != batch_size:
        constraint = f"the number of samples in the first batch, {samples}"
        remedy = "Use a smaller batch size, or correct `make_loader`."
        raise ValueError(_check.message(OWNER, "batch_size", constraint, batch_size, remedy))
    return loader, batch_size / own


def _of_net(learner: Any, make_net: Callable[[], Any]) -> Any:
    net = make_net()
    if not isinstance(net, mx.gluon.Block):
        constraint = "functions that return an mx.gluon.Block"
        raise TypeError(_check.message(OWNER, "net", constraint, net))
    other = learner.of_net(net)
    other.on_data_of(learner)
    other.progress = False
    return other


def _made(given: Any, own: mx.optimizer.Optimizer) -> Any:
    """Return an optimizer; one given by name gets the learner's decay, clipping and precision."""
    named, params = given
    if not isinstance(named, str):
        return begun_anew(named)
    shared = {name: getattr(own, name) for name in _OF_ANY_OPTIMIZER}
    return mx.optimizer.create(named, **{**shared, **params})
