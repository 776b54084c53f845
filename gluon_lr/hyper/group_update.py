"""Optimizer updates with a different value of an attribute for each parameter group."""

from typing import Any, Dict, List

from .._mxnet import mx

_METHOD = "update_multi_precision"


class GroupUpdate:
    """Replaces an optimizer's `update_multi_precision`: each group has its own attributes.

    An MXNet optimizer has one momentum, one beta and so on for all parameters, and updates
    several parameters at a time. This replacement updates them group by group.

    Parameters
    ----------
    optimizer : mx.optimizer.Optimizer
        The optimizer whose method it replaces.
    group_of : dict
        Maps a parameter's index to its group.
    """

    def __init__(self, optimizer: mx.optimizer.Optimizer, group_of: Dict[int, int]) -> None:
        self._optimizer = optimizer
        self.group_of = group_of
        self.values: Dict[str, List[float]] = {}

    def __call__(self, index: Any, weight: Any, grad: Any, state: Any) -> None:
        """Update one weight or several, as the optimizer's own method does."""
        if not isinstance(index, (list, tuple)):
            self._update(self.group_of[index], index, weight, grad, state)
            return
        by_group: Dict[int, List[int]] = {}
        for place, one in enumerate(index):
            by_group.setdefault(self.group_of[one], []).append(place)
        for group, places in by_group.items():
            parts = ([each[place] for place in places] for each in (index, weight, grad, state))
            self._update(group, *parts)

    def __deepcopy__(self, memo: Dict[int, Any]) -> "GroupUpdate":
        return self  # it belongs to its optimizer, and a snapshot copies the optimizer's fields

    def _update(self, group: int, *arguments: Any) -> None:
        optimizer = self._optimizer
        shared = {attribute: getattr(optimizer, attribute) for attribute in self.values}
        try:
            for attribute, values in self.values.items():
                setattr(optimizer, attribute, values[group])
            getattr(type(optimizer), _METHOD)(optimizer, *arguments)
        finally:
            for attribute, value in shared.items():
                setattr(optimizer, attribute, value)


def get_for(optimizer: mx.optimizer.Optimizer, attribute: str, index: int) -> Any:
    """Return the value of an attribute for the parameter with this index."""
    update = vars(optimizer).get(_METHOD)
    if isinstance(update, GroupUpdate) and attribute in update.values:
        return update.values[attribute][update.group_of[index]]
    return getattr(optimizer, attribute)


def set_by_group(
    optimizer: mx.optimizer.Optimizer,
    attribute: str,
    values: List[float],
    group_of: Dict[int, int],
) -> None:
    """Set an attribute's value for each group; the optimizer's own attribute is the highest."""
    if len(set(values)) > 1:
        if not isinstance(vars(optimizer).get(_METHOD), GroupUpdate):
            setattr(optimizer, _METHOD, GroupUpdate(optimizer, group_of))
        getattr(optimizer, _METHOD).values[attribute] = values
    else:
        share(optimizer, attribute)
    setattr(optimizer, attribute, max(values))


def share(optimizer: mx.optimizer.Optimizer, attribute: str) -> None:
    """Use the optimizer's own value of an attribute for all groups again."""
    update = vars(optimizer).get(_METHOD)
    if isinstance(update, GroupUpdate):
        update.values.pop(attribute, None)
        if not update.values:
            delattr(optimizer, _METHOD)
