"""The structure of a batch: arrays in nested tuples, lists, dicts and objects."""

import copy
import dataclasses
from collections.abc import MutableMapping
from typing import Any, Callable, Iterator, List, Tuple

import numpy as np

from .. import _check
from .._mxnet import mx

Batch = Any

_PLAIN = (tuple, list)


def is_array(part: Any) -> bool:
    """Return whether a part of a batch is an array of mx.nd, mx.np or NumPy."""
    return isinstance(part, (mx.nd.NDArray, np.ndarray))


def is_batch(one: Any) -> bool:
    """Return whether `one` is a single batch, rather than a sequence of batches.

    An array is a batch, and so is a tuple or list that directly holds an array. A dict, a
    DataBatch and a dataclass are batches if they are not empty.
    """
    parts = parts_of(one)
    if isinstance(one, (tuple, list)):
        return any(map(is_array, parts))
    return is_array(one) or bool(parts)


def mapped(change: Callable[[Any], Any], part: Any) -> Any:
    """Return a batch, or a part of one, with `change` applied to each array."""
    if is_array(part):
        return change(part)
    if type(part) in _PLAIN:
        return type(part)([mapped(change, one) for one in part])
    if type(part) is dict:
        return {key: mapped(change, one) for key, one in part.items()}
    return with_parts(part, [mapped(change, one) for one in parts_of(part)])


def arrays_in(part: Any) -> Iterator[Any]:
    """Yield the arrays of a batch."""
    if is_array(part):
        yield part
        return
    for one in parts_of(part):
        yield from arrays_in(one)


def parts_of(part: Any) -> List[Any]:
    """Return the parts of a container in a batch; an empty list if it is no container."""
    if isinstance(part, (tuple, list)):
        return list(part)
    if isinstance(part, MutableMapping):
        return list(part.values())
    return [getattr(part, name) for name in _fields_of(part)]


def with_parts(part: Any, parts: List[Any]) -> Any:
    """Return a container of the same kind that holds `parts`; if it is none, return it."""
    if isinstance(part, (tuple, list)):
        make = type(part)
        return make(*parts) if hasattr(part, "_fields") else make(parts)
    if isinstance(part, MutableMapping):
        other = copy.copy(part)
        other.update(zip(part, parts))
        return other
    fields = _fields_of(part)
    if not fields:
        return part
    batch = copy.copy(part)
    for name, one in zip(fields, parts):
        object.__setattr__(batch, name, one)  # it may be frozen
    return batch


def _fields_of(part: Any) -> List[str]:
    """Return the names of the fields of a DataBatch or a dataclass."""
    if isinstance(part, mx.io.DataBatch):
        return ["data", "label"]
    if dataclasses.is_dataclass(part):
        return [field.name for field in dataclasses.fields(part)]
    return []


def inputs_and_labels(batch: Batch) -> Tuple[List[Any], List[Any]]:
    """Return the inputs of the net and the labels, which are the last part of a batch.

    ``(x1, x2, y)`` and ``((x1, x2), y)`` are the inputs x1 and x2 and the label y;
    ``(x, (y1, y2))`` is one input and two labels. A DataBatch has its own fields for both.

    Raises
    ------
    ValueError
        If the batch is not a tuple or list of at least two parts.
    """
    if isinstance(batch, mx.io.DataBatch):
        return list(batch.data), list(batch.label or ())
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        constraint = (
            "an iterable of batches whose last part is the label, for example (data, label)"
        )
        remedy = (
            "For other batches, pass compute_loss: a function (net, batch) that returns the losses."
        )
        raise ValueError(
            _check.message("Learner", "data_loader", constraint, kind_of(batch), remedy)
        )
    inputs, label = batch[:-1], batch[-1]
    if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)):
        inputs = inputs[0]
    return list(inputs), list(label) if isinstance(label, (tuple, list)) else [label]


def kind_of(part: Any) -> str:
    """Return a description of a part of a batch, for a message."""
    if is_array(part):
        return f"an array of shape {part.shape}"
    if isinstance(part, (tuple, list)) and len(part) < 10:
        return f"{type(part).__name__} of {', '.join(map(kind_of, part)) or 'nothing'}"
    if isinstance(part, MutableMapping):
        return f"{type(part).__name__} of {', '.join(map(repr, part))}"
    return type(part).__name__
