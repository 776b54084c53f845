"""A rate, and a weight decay, for each parameter group of an optimizer that has one for all."""

from typing import Any, Dict, List, Sequence, Union

import numpy as np

from .. import _check
from .._mxnet import mx
from .groups import Group

Rate = Union[float, slice, Sequence[float]]

_MULTIPLIERS = {"lr": "lr_mult", "wd": "wd_mult"}
# where the optimizer keeps each parameter's share of the highest rate or decay, by name and index
_SHARES = "_gluon_lr_shares"


def group_rates(owner: str, argument: str, lr: Rate, groups: int) -> Any:
    """Return a rate for all parameter groups, or an array of one a group, of what fastai takes.

        slice(b)       b / 10 for all groups but the last, which has b
        slice(a, b)    geometric, from a for the first group to b for the last

    Parameters
    ----------
    owner, argument : str
        Whose argument it is, for the messages.
    lr : float, slice or sequence
        A number, a slice, or one number a group.
    groups : int
        The number of groups.

    Raises
    ------
    TypeError, ValueError
        On a rate below 0 or not finite, in a slice not above 0, or another number of them.
    """
    _refuse_what_has_a_rate(owner, argument, lr)
    if isinstance(lr, slice):
        last = _check.real(owner, argument, lr.stop, above=0)
        if lr.start is None:
            rates = [last / 10] * (groups - 1) + [last]
        else:
            first = _check.real(owner, argument, lr.start, above=0)
            rates = [*np.geomspace(first, last, groups)[:-1].tolist(), last]
    elif isinstance(lr, (list, tuple, np.ndarray)):
        rates = [_check.rate(owner, argument, one) for one in np.asarray(lr).tolist()]
        if len(rates) != groups:
            constraint = f"a number, a slice, or one number for each of {groups} groups"
            raise ValueError(_check.message(owner, argument, constraint, lr))
    else:
        return _check.rate(owner, argument, lr)
    return rates[0] if groups == 1 else np.array(rates)


def _refuse_what_has_a_rate(owner: str, argument: str, lr: Any) -> None:
    """Raise a TypeError on a schedule, or on the result of a search, and say where they belong."""
    constraint = "a number, a slice, or a number for each group"
    if hasattr(lr, "suggestion"):
        remedy = f"Write {argument}=result.suggestion for the rate that the search suggests."
        raise TypeError(_check.message(owner, argument, constraint, lr, remedy))
    if callable(lr):
        remedy = (
            "Give a schedule to the trainer, Trainer(..., {'lr_scheduler': schedule}), and no rate "
            "to the fit; or give a curve to the fit, cbs=ParamScheduler({'lr': SchedCos(0.1, 0)})."
        )
        raise TypeError(_check.message(owner, argument, constraint, lr, remedy))


class GroupShares:
    """Gives groups their rates and decays by `lr_mult` and `wd_mult`, on top of what those are.

    Each group has a share of the optimizer's own rate, which is the highest.

    Parameters
    ----------
    trainer : mx.gluon.Trainer
        Its optimizer may be exchanged, by ``load_states`` say.
    groups : list of list of mx.gluon.Parameter
        Its parameter groups.
    group_of : dict
        From a parameter's index to its group.
    """

    names = tuple(_MULTIPLIERS)

    def __init__(
        self, trainer: mx.gluon.Trainer, groups: List[Group], group_of: Dict[int, int]
    ) -> None:
        self._trainer = trainer
        self._groups = groups
        self._group_of = group_of
        self._own: Dict[str, List[List[float]]] = {}  # the multipliers before the first assignment

    def of(self, name: str, index: int) -> float:
        """Return a parameter's share of the rate ('lr') or of the weight decay ('wd')."""
        shares: Dict[int, float] = vars(self._trainer.optimizer).get(_SHARES, {}).get(name, {})
        return shares.get(index, 1.0)

    def give(self, name: str, shares: Sequence[float]) -> None:
        """Give each group its share."""
        multiplier = _MULTIPLIERS[name]
        own = self._own.setdefault(
            name, [[getattr(one, multiplier) for one in group] for group in self._groups]
        )
        for group, own_of_group, share in zip(self._groups, own, shares):
            for parameter, value in zip(group, own_of_group):
                setattr(parameter, multiplier, value * share)
        by_index = {index: shares[group] for index, group in self._group_of.items()}
        vars(self._trainer.optimizer).setdefault(_SHARES, {})[name] = by_index

    def put_back(self) -> None:
        """Make the multipliers as they were before the first share."""
        for name in self._own:
            self.give(name, [1.0] * len(self._groups))
        vars(self._trainer.optimizer).pop(_SHARES, None)
        self._own.clear()
