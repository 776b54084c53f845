"""The hyper-parameters of a Trainer, with fastai's names and per parameter group."""

import math
from numbers import Real
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from .. import _check, _trainer
from .._mxnet import momentum_in, mx, number_without_gaps
from .group_rates import GroupShares
from .group_update import get_for, set_by_group, share
from .groups import parameter_groups

_ATTRIBUTES = {
    "lr": ("lr",),
    "wd": ("wd",),
    "mom": ("momentum", "beta1", "gamma2"),
    "sqr_mom": ("beta2", "gamma1", "rho"),
    "eps": ("epsilon", "eps", "float_stable_eps"),
}
FASTAI_NAMES = tuple(_ATTRIBUTES)
# counters of MXNet, and what it sets at each step
_MXNETS = ("num_update", "begin_num_update", "aggregate_num", "rescale_grad")
RATE_IN_MOMENTUM = (mx.optimizer.SGD, mx.optimizer.NAG)


class HyperParameters:
    """The hyper-parameters of a trainer's optimizer: for each name, one value per parameter group.

    The names are fastai's, as far as the optimizer has them, and those of its own attributes::

        lr, wd     each optimizer's
        mom        momentum (SGD, NAG, Signum, ...), beta1 (Adam, ...), gamma2 (centered RMSProp;
                   MXNet 2.0: momentum)
        sqr_mom    beta2 (Adam, ...), gamma1 (RMSProp; MXNet 2.0: rho), rho (AdaDelta)
        eps        epsilon, eps, float_stable_eps

    Assign a number, or one number per group. It holds from the trainer's next step until
    :meth:`put_back`. Rates and weight decays of groups multiply the parameters' `lr_mult` and
    `wd_mult`; the optimizer's own value is the highest.

    Parameters
    ----------
    trainer : mx.gluon.Trainer
        A trainer with initialised parameters.
    groups : sequence, optional
        The parameter groups, each an mx.gluon.Block, a pattern of parameter names, or a list of
        parameters; one group by default.

    Raises
    ------
    TypeError, ValueError
        If a parameter of the trainer is in no group or in two groups; if you assign a value while
        servers update the weights (`update_on_kvstore`); if the optimizer does not have a name;
        if a value is not finite; if a rate or weight decay is below 0.

    >>> import mxnet as mx
    >>> net = mx.gluon.nn.Dense(1, in_units=1)
    >>> net.initialize()
    >>> trainer = mx.gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.1})
    >>> hypers = HyperParameters(trainer, groups=[".*weight", ".*bias"])
    >>> hypers["lr"] = [0.1, 0.2]
    >>> hypers["lr"], hypers["mom"], trainer.learning_rate
    ([0.1, 0.2], [0.9, 0.9], 0.2)
    >>> hypers.put_back()
    >>> hypers["lr"]
    [0.1, 0.1]
    """

    def __init__(self, trainer: mx.gluon.Trainer, groups: Optional[Sequence[Any]] = None) -> None:
        number_without_gaps(trainer)
        self.trainer = trainer
        parameters = _trainer.parameters_of(trainer)
        self.groups = parameter_groups(type(self).__name__, parameters, groups)
        number = {id(one): g for g, group in enumerate(self.groups) for one in group}
        self._group_of = {index: number[id(one)] for index, one in enumerate(parameters)}
        self._own: Dict[str, Any] = {}  # the optimizer's, before the first assignment
        self._shares = GroupShares(trainer, self._group_of)
        places = list(self._group_of.values())
        self._first = [places.index(group) for group in range(len(self.groups))]

    @property
    def names(self) -> List[str]:
        """The names of all hyper-parameters, fastai's first."""
        optimizer = self.trainer.optimizer
        mapped = {name: _attribute(optimizer, name) for name in _ATTRIBUTES}
        others = [
            attribute
            for attribute, value in vars(optimizer).items()
            if attribute not in mapped.values() and _is_hyper_parameter(attribute, value)
        ]
        return [name for name, attribute in mapped.items() if attribute is not None] + others

    def attribute(self, name: str) -> str:
        """Return the optimizer's own name of a hyper-parameter, for example beta1 for mom."""
        attribute = self._found(name)
        if attribute is None:
            owner = type(self.trainer.optimizer).__name__
            constraint = f"a hyper-parameter of {owner}: one of {', '.join(self.names)}"
            raise ValueError(_check.message("HyperParameters", "name", constraint, name))
        return attribute

    def has(self, name: str) -> bool:
        """Return whether the optimizer has a hyper-parameter of this name, fastai's or its own."""
        return self._found(name) is not None

    def _found(self, name: str) -> Optional[str]:
        optimizer = self.trainer.optimizer
        mapped = _attribute(optimizer, name)
        if mapped is not None:
            return mapped
        return name if _is_hyper_parameter(name, vars(optimizer).get(name)) else None

    def __getitem__(self, name: str) -> List[float]:
        attribute = self.attribute(name)
        optimizer = self.trainer.optimizer
        if name in GroupShares.names:
            highest = self.trainer.learning_rate if name == "lr" else optimizer.wd
            return [highest * self._shares.of(name, index) for index in self._first]
        return [get_for(optimizer, attribute, index) for index in self._first]

    def __setitem__(self, name: str, values: Any) -> None:
        _trainer.check_updates_here(type(self).__name__, self.trainer)
        self.assign(name, self.by_group(name, values))

    def assign(self, name: str, by_group: List[float]) -> None:
        """Assign values that :meth:`by_group` returned."""
        attribute = self.attribute(name)
        optimizer = self.trainer.optimizer
        if name == "lr":
            self.check_no_lr_scheduler()
        self.keep(name)
        if attribute == "momentum" and optimizer.momentum == 0 and any(by_group):
            self._forget_states_without_momentum()
        if name not in GroupShares.names:
            set_by_group(optimizer, attribute, by_group, self._group_of)
            return
        highest = max(by_group)
        setattr(optimizer, attribute, highest)
        if len(by_group) > 1 and highest:
            self._shares.give(name, [value / highest for value in by_group])

    def keep(self, name: str) -> None:
        """Remember the value of a hyper-parameter for :meth:`put_back`, the first time only."""
        attribute = self.attribute(name)
        self._own.setdefault(attribute, getattr(self.trainer.optimizer, attribute))
        if name in GroupShares.names:
            self._shares.keep(name)

    def by_group(self, name: str, values: Any) -> List[float]:
        """Check a number, or one number per group, and return a list with one per group."""
        several = isinstance(values, (list, tuple, np.ndarray)) and np.ndim(values) > 0
        by_group = [float(one) for one in values] if several else [float(values)] * len(self.groups)
        if len(by_group) != len(self.groups):
            constraint = f"one number, or one for each of {len(self.groups)} groups"
            raise ValueError(_check.message("HyperParameters", name, constraint, values))
        lowest = 0 if name in GroupShares.names else -math.inf
        if not all(math.isfinite(one) and one >= lowest for one in by_group):
            constraint = "finite" + (" and at least 0" if name in GroupShares.names else "")
            raise ValueError(_check.message("HyperParameters", name, constraint, values))
        return by_group

    def check_no_lr_scheduler(self) -> None:
        """Raise a ValueError if the trainer has an lr_scheduler, which would set the rate."""
        scheduler = self.trainer.optimizer.lr_scheduler
        if scheduler is not None:
            constraint = "a trainer without an lr_scheduler, because an lr_scheduler sets the rate"
            remedy = "Create it without one, or set trainer.optimizer.lr_scheduler = None."
            raise ValueError(
                _check.message("HyperParameters", "trainer", constraint, scheduler, remedy)
            )

    def put_back(self) -> None:
        """Restore all values from before the first assignment."""
        for attribute, value in self._own.items():
            share(self.trainer.optimizer, attribute)
            setattr(self.trainer.optimizer, attribute, value)
        self._shares.put_back()
        self._own.clear()

    def scale_momentum(self, factors: Sequence[float]) -> None:
        """Multiply the momentum state of each parameter by the factor of its group.

        Raises
        ------
        TypeError
            If the optimizer is not SGD or NAG: only these store momentum multiplied by the rate.
        """
        if not isinstance(self.trainer.optimizer, RATE_IN_MOMENTUM):
            constraint = "False unless the optimizer is SGD or NAG"
            value = type(self.trainer.optimizer).__name__
            raise TypeError(
                _check.message("ParamScheduler", "momentum_correction", constraint, value)
            )
        for updater in _trainer.updaters_of(self.trainer):
            for index, state in updater.states.items():
                momentum = momentum_in(state)
                if momentum is not None and factors[self._group_of[index]] != 1:
                    momentum *= factors[self._group_of[index]]

    def _forget_states_without_momentum(self) -> None:
        """Delete states without momentum, so that the optimizer creates them again with it."""
        for updater in _trainer.updaters_of(self.trainer):
            for index, state in list(updater.states.items()):
                parts = state if isinstance(state, tuple) else (state,)
                if any(part is None for part in parts):
                    del updater.states[index]


def _attribute(optimizer: mx.optimizer.Optimizer, name: str) -> Optional[str]:
    """Return the first attribute of the optimizer that corresponds to one of fastai's names."""
    found = [one for one in _ATTRIBUTES.get(name, ()) if one in vars(optimizer)]
    if name == "mom" and not getattr(optimizer, "centered", True):  # RMSProp has no momentum then
        return None
    return found[0] if found else None


def _is_hyper_parameter(attribute: str, value: Any) -> bool:
    if attribute in _MXNETS or attribute.startswith("_") or isinstance(value, bool):
        return False
    return isinstance(value, Real) or attribute == "clip_gradient"
