"""A net's layers as a table: parameters, groups, and which are frozen."""

from typing import Any, Iterator, List, Sequence, Set, Tuple

import numpy as np

from .. import _html
from .._mxnet import mx
from ..hyper.groups import Group

_HEAD = ("layer", "kind", "parameters", "group", "trained")


class Summary:
    """The layers of a net that have parameters, as a table for a terminal and a notebook.

    A parameter that several layers share is counted in the first of them.

    Parameters
    ----------
    net : mx.gluon.Block
        The net.
    groups : list of list of mx.gluon.Parameter
        The parameter groups.

    Attributes
    ----------
    parameters : int
        How many numbers the net's parameters have, without those of unknown shape.
    trained : int
        How many of them an update changes.
    """

    def __init__(self, net: mx.gluon.Block, groups: Sequence[Group]) -> None:
        group_of = {id(one): str(number) for number, group in enumerate(groups) for one in group}
        self._rows: List[Tuple[str, ...]] = [_HEAD]
        self.parameters = self.trained = 0
        self._is_whole = True  # whether all shapes are known
        counted: Set[int] = set()
        for name, block in _layers_of(net, ""):
            own = [one for one in block._reg_params.values() if id(one) not in counted]
            if not own:
                continue
            counted.update(map(id, own))
            sizes = [_size_of(one) for one in own]
            self.parameters += sum(sizes)
            self.trained += sum(size for size, one in zip(sizes, own) if one.grad_req != "null")
            numbers = sorted({group_of[id(one)] for one in own if id(one) in group_of})
            size = f"{sum(sizes):,}" if all(sizes) else "not known yet"
            self._is_whole &= all(sizes)
            kind = type(block).__name__
            self._rows.append((name, kind, size, ", ".join(numbers), _trained(own)))

    @property
    def _title(self) -> str:
        frozen = self.parameters - self.trained
        counts = f"{self.parameters:,} parameters, {self.trained:,} trained, {frozen:,} not"
        return counts if self._is_whole else f"at least {counts}"

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self._rows)]
        lines = [
            "  ".join(
                cell.rjust(width) if head == "parameters" else cell.ljust(width)
                for head, cell, width in zip(_HEAD, row, widths)
            ).rstrip()
            for row in self._rows
        ]
        return "\n".join([*lines, self._title])

    def _repr_html_(self) -> str:
        return _html.table(self._title, self._rows)


def _layers_of(block: mx.gluon.Block, name: str) -> Iterator[Tuple[str, mx.gluon.Block]]:
    yield name or "(net)", block
    for child_name, child in block._children.items():
        child = child() if callable(child) and not isinstance(child, mx.gluon.Block) else child
        yield from _layers_of(child, f"{name}.{child_name}" if name else child_name)


def _size_of(parameter: Any) -> int:
    """Return how many numbers a parameter has; 0 if its shape is not known."""
    shape = parameter.shape or (0,)
    return max(int(np.prod(shape)), 0)


def _trained(parameters: Sequence[Any]) -> str:
    """Return 'yes', 'no' or 'in part': whether the trainable parameters are trained."""
    are = {one.grad_req != "null" for one in parameters if one._differentiable}
    return {(): "no", (True,): "yes", (False,): "no"}.get(tuple(are), "in part")
