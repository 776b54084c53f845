"""Parameter groups: parts of a net with their own learning rates, or that are frozen."""

import re
from collections import Counter
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from .. import _check
from .._mxnet import mx

Group = List[mx.gluon.Parameter]

_KINDS = "an mx.gluon.Block, a pattern of parameter names, or a list of parameters"
_BLOCKS = "For example: groups=[[net.embedding, net.encoder], net.output]."


def parameter_groups(
    owner: str,
    parameters: Group,
    groups: Optional[Sequence[Any]],
    net: Optional[mx.gluon.Block] = None,
) -> List[Group]:
    """Sort parameters into groups; return one group if `groups` is None.

    Parameters
    ----------
    owner : str
        Name of the caller for the error messages.
    parameters : list of mx.gluon.Parameter
        The parameters of a trainer; all others are left out of the groups.
    groups : sequence, optional
        Each an mx.gluon.Block, a list of parameters and Blocks, or a regular expression that
        matches the start of parameter names, as in ``net.collect_params(select)``.
    net : mx.gluon.Block, optional
        Its parameter names are matched too. Without it, only the names stored in the parameters
        are matched, which are short in MXNet 2.0: weight, bias.

    Raises
    ------
    TypeError, ValueError
        If a parameter is in no group or in two groups, or if a group is empty.
    """
    if groups is None:
        return [parameters]
    if isinstance(groups, (str, mx.gluon.Block)) or not isinstance(groups, Sequence):
        raise TypeError(
            _check.message(owner, "groups", f"a list whose items are each {_KINDS}", groups)
        )
    trained = {id(parameter) for parameter in parameters}
    named = [(parameter.name, parameter) for parameter in parameters]
    if net is not None:
        named += net.collect_params().items()
    found = [
        [one for one in _members(owner, group, named) if id(one) in trained] for group in groups
    ]
    for group, members in zip(groups, found):
        if not members:
            constraint = "a list in which each group has a parameter of the trainer"
            raise ValueError(_check.message(owner, "groups", constraint, group, _BLOCKS))
    places = Counter(id(one) for members in found for one in members)
    astray = {one.name: places[id(one)] for one in parameters if places[id(one)] != 1}
    if astray:
        constraint = "a list that has each parameter of the trainer in exactly one group"
        some = [
            f"{name} in {'several groups' if count else 'no group'}"
            for name, count in astray.items()
        ]
        value = ", ".join(some[:5]) + (", ..." if some[5:] else "")
        raise ValueError(_check.message(owner, "groups", constraint, value, _BLOCKS))
    return found


def _members(
    owner: str, group: Any, named: List[Tuple[str, mx.gluon.Parameter]]
) -> Iterator[mx.gluon.Parameter]:
    if isinstance(group, mx.gluon.Parameter):
        yield group
    elif isinstance(group, mx.gluon.Block):
        yield from _members(owner, group.collect_params(), named)
    elif isinstance(group, str):
        pattern = re.compile(group)
        yield from dict.fromkeys(one for name, one in named if pattern.match(name))
    elif isinstance(group, (list, tuple)):
        for part in group:
            yield from _members(owner, part, named)
    elif hasattr(group, "values"):  # collect_params(): in 2.0 a shared one has several names
        yield from dict.fromkeys(group.values())
    else:
        raise TypeError(
            _check.message(owner, "groups", f"a list whose items are each {_KINDS}", group)
        )


class Freezer:
    """Freezes and unfreezes parameter groups.

    A frozen parameter has no gradient, and MXNet does not compute one.

    Parameters
    ----------
    groups : list of list of mx.gluon.Parameter
        In order from the first layers to the last.
    """

    def __init__(self, groups: List[Group]) -> None:
        self._groups = groups
        self._grad_reqs: Dict[int, str] = {}
        self.frozen_to = 0

    def freeze_to(self, n: int) -> None:
        """Freeze the groups before group `n`, and unfreeze the others."""
        self.frozen_to = n
        for number, group in enumerate(self._groups):
            for parameter in group:
                if number < n:
                    self._freeze(parameter)
                else:
                    self._unfreeze(parameter)

    def write(self, parameters: Iterable[mx.gluon.Parameter]) -> None:
        """Make frozen parameters overwrite gradients once unfrozen, instead of adding them up."""
        for parameter in parameters:
            if self._grad_reqs.get(id(parameter)) == "add":
                self._grad_reqs[id(parameter)] = "write"

    def _freeze(self, parameter: mx.gluon.Parameter) -> None:
        if parameter.grad_req != "null":
            self._grad_reqs[id(parameter)] = parameter.grad_req
            parameter.grad_req = "null"

    def _unfreeze(self, parameter: mx.gluon.Parameter) -> None:
        own = self._grad_reqs.pop(id(parameter), None)
        if own is not None:
            parameter.grad_req = own
