"""A learning rate and a weight decay per parameter group; MXNet's optimizers have one for all."""

from typing import Any, Dict, NamedTuple, Sequence, Union

import numpy as np

from .. import _check
from .._mxnet import mx
from .._trainer import parameters_of

Rate = Union[float, slice, Sequence[float]]

_MULTIPLIERS = {"lr": "lr_mult", "wd": "wd_mult"}
# the optimizer's attribute with each parameter's share, by name and index
_SHARES = "_gluon_lr_shares"


def group_rates(owner: str, argument: str, lr: Rate, groups: int) -> Any:
    """Return one rate for all groups, or an array with one per group, from fastai's notation.

        slice(b)       b / 10 for all groups but the last, which has b
        slice(a, b)    geometric, from a for the first group to b for the last

    Parameters
    ----------
    owner, argument : str
        Function and argument name for the error messages.
    lr : float, slice or sequence
        A number, a slice, or one number per group.
    groups : int
        The number of groups.

    Raises
    ------
    TypeError, ValueError
        If a rate is not finite or below 0 (in a slice: not above 0), or if their number is wrong.
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
            remedy = "For a rate that changes, pass a schedule to fit(n_epoch, lr=schedule)."
            raise ValueError(_check.message(owner, argument, constraint, lr, remedy))
    else:
        return _check.rate(owner, argument, lr)
    return rates[0] if groups == 1 else np.array(rates)


def _refuse_what_has_a_rate(owner: str, argument: str, lr: Any) -> None:
    """Raise a TypeError for a schedule or a search result; the message says how to use it."""
    constraint = "a number, a slice, or a number for each group"
    if hasattr(lr, "best"):
        remedy = f"Pass {argument}=comparison.best.suggestion, if the comparison has a winner."
        raise TypeError(_check.message(owner, argument, constraint, type(lr).__name__, remedy))
    if hasattr(lr, "suggestion"):
        remedy = f"Pass {argument}=result.suggestion, the rate that the search suggests."
        if lr.suggestion is None:
            remedy = f"Start from {argument}=result.usual: the search found no rate."
        raise TypeError(_check.message(owner, argument, constraint, lr, remedy))
    if callable(lr):
        remedy = (
            "Pass a schedule to fit(n_epoch, lr=schedule). Pass a curve, for example SchedCos(0.1, "
            "0), or ScheduledCurve(function) for a function of the iteration, to fit(n_epoch, "
            "cbs=ParamScheduler({'lr': curve}))."
        )
        raise TypeError(_check.message(owner, argument, constraint, lr, remedy))


class GroupShares:
    """Sets rates and weight decays of groups: multiplies `lr_mult` and `wd_mult` by a share.

    The optimizer's own rate is the highest; each group has a share of it.

    Parameters
    ----------
    trainer : mx.gluon.Trainer
        Its optimizer may be replaced, for example by ``load_states``.
    group_of : dict
        Maps a parameter's index to its group.
    """

    names = tuple(_MULTIPLIERS)

    def __init__(self, trainer: mx.gluon.Trainer, group_of: Dict[int, int]) -> None:
        self._trainer = trainer
        self._group_of = group_of
        self._before: Dict[str, Dict[int, _Share]] = {}  # before our first change

    def of(self, name: str, index: int) -> float:
        """Return a parameter's share of the rate ('lr') or of the weight decay ('wd')."""
        share = self._shares.get(name, {}).get(index)
        return 1.0 if share is None else share.share

    def keep(self, name: str) -> None:
        """Remember the current shares for :meth:`put_back`."""
        self._before.setdefault(name, self._shares.get(name, {}))

    def give(self, name: str, shares: Sequence[float]) -> None:
        """Set the share of each group; it replaces the current one."""
        self.keep(name)
        before = self._shares.get(name, {})
        parameters = parameters_of(self._trainer)
        given = {}
        for index, group in self._group_of.items():
            own = getattr(parameters[index], _MULTIPLIERS[name])
            given[index] = _Share(shares[group], before[index].own if index in before else own)
        self._write(name, given)

    def put_back(self) -> None:
        """Restore the multipliers from before this object's first change."""
        for name, before in self._before.items():
            given = self._shares.get(name, {})
            self._write(name, {index: _Share(1.0, one.own) for index, one in given.items()})
            self._write(name, before)
        self._before.clear()

    @property
    def _shares(self) -> Dict[str, Dict[int, "_Share"]]:
        """The shares of the optimizer's parameters, by name and index."""
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
    """A parameter's share of the highest rate or decay, and its multiplier without the share."""

    share: float
    own: float
