"""A rate, and a weight decay, for each parameter group of an optimizer that has one for all."""

from typing import Any, Dict, NamedTuple, Sequence, Union

import numpy as np

from .. import _check
from .._mxnet import mx
from .._trainer import parameters_of

Rate = Union[float, slice, Sequence[float]]

_MULTIPLIERS = {"lr": "lr_mult", "wd": "wd_mult"}
# where the optimizer keeps each parameter's share, by name and index
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
    if hasattr(lr, "best"):
        remedy = f"Write {argument}=comparison.best.suggestion, where there is a winner."
        raise TypeError(_check.message(owner, argument, constraint, type(lr).__name__, remedy))
    if hasattr(lr, "suggestion"):
        remedy = f"Write {argument}=result.suggestion for the rate that the search suggests."
        if lr.suggestion is None:
            remedy = f"The search found no rate. Start from {argument}=result.usual."
        raise TypeError(_check.message(owner, argument, constraint, lr, remedy))
    if callable(lr):
        remedy = (
            "A schedule goes into fit(n_epoch, lr=schedule), a curve into "
            "fit(n_epoch, cbs=ParamScheduler({'lr': SchedCos(0.1, 0)}))."
        )
        raise TypeError(_check.message(owner, argument, constraint, lr, remedy))


class GroupShares:
    """Gives groups their rates and decays by `lr_mult` and `wd_mult`, on top of what those are.

    Each group has a share of the optimizer's own rate, which is the highest.

    Parameters
    ----------
    trainer : mx.gluon.Trainer
        Its optimizer may be exchanged, by ``load_states`` say.
    group_of : dict
        From a parameter's index to its group.
    """

    names = tuple(_MULTIPLIERS)

    def __init__(self, trainer: mx.gluon.Trainer, group_of: Dict[int, int]) -> None:
        self._trainer = trainer
        self._group_of = group_of
        self._before: Dict[str, Dict[int, _Share]] = {}  # the first of this object's

    def of(self, name: str, index: int) -> float:
        """Return a parameter's share of the rate ('lr') or of the weight decay ('wd')."""
        share = self._shares.get(name, {}).get(index)
        return 1.0 if share is None else share.share

    def keep(self, name: str) -> None:
        """Note the shares that there are now, for :meth:`put_back`."""
        self._before.setdefault(name, self._shares.get(name, {}))

    def give(self, name: str, shares: Sequence[float]) -> None:
        """Give each group its share, in place of what it has by now."""
        self.keep(name)
        before = self._shares.get(name, {})
        parameters = parameters_of(self._trainer)
        given = {}
        for index, group in self._group_of.items():
            own = getattr(parameters[index], _MULTIPLIERS[name])
            given[index] = _Share(shares[group], before[index].own if index in before else own)
        self._write(name, given)

    def put_back(self) -> None:
        """Make the multipliers as they were before the first share of this object's."""
        for name, before in self._before.items():
            given = self._shares.get(name, {})
            self._write(name, {index: _Share(1.0, one.own) for index, one in given.items()})
            self._write(name, before)
        self._before.clear()

    @property
    def _shares(self) -> Dict[str, Dict[int, "_Share"]]:
        """The shares that the optimizer's parameters have, by name and index."""
        shares: Dict[str, Dict[int, _Share]] = vars(self._trainer.optimizer).get(_SHARES, {})
        return shares

    def _write(self, name: str, given: Dict[int, "_Share"]) -> None:
        parameters = parameters_of(self._trainer)
        for index, one in given.items():
            setattr(parameters[index], _MULTIPLIERS[name], one.own * one.share)
        shares = {key: one for key, one in {**self._shares, name: given}.items() if one}
        optimizer = self._trainer.optimizer
        if shares:
            setattr(optimizer, _SHARES, shares)
        else:
            vars(optimizer).pop(_SHARES, None)


class _Share(NamedTuple):
    """A parameter's share of the highest rate or decay, and its multiplier without that."""

    share: float
    own: float
