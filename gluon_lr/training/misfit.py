"""Explains why a net or a loss fails on a batch, and what to write instead."""

from typing import Any, Iterator, List, Optional

import numpy as np

from .. import _check
from ..data.structure import Batch, arrays_in, inputs_and_labels, is_array, kind_of

_COMPUTE_LOSS = "Pass `compute_loss`, a function of (net, batch) that returns the losses."


def misfit_of(net: Any, batch: Batch, error: Exception) -> Optional[ValueError]:
    """Return an error that says what in a batch does not fit, or None if it is not known.

    Parameters
    ----------
    net : mx.gluon.Block
        The net.
    batch : object
        A batch of inputs and labels.
    error : Exception
        The error of ``loss(net(*inputs), *labels)``.
    """
    inputs, labels = inputs_and_labels(batch)
    for found in (_no_array(inputs), _of_another_type(net, inputs), _several(inputs, labels)):
        for constraint, value, remedy in found:
            remedy = f"{remedy} MXNet says: {first_line(error)}"
            return ValueError(_check.message("Learner", "data_loader", constraint, value, remedy))
    return None


def _no_array(inputs: List[Any]) -> Iterator[Any]:
    if not list(arrays_in(inputs)):
        constraint = "an iterable of batches of arrays, for example (data, label)"
        yield constraint, ", ".join(map(kind_of, inputs)), _COMPUTE_LOSS


def _of_another_type(net: Any, inputs: List[Any]) -> Iterator[Any]:
    """Find data of another type than the weights: MXNet does not convert it."""
    types = {np.dtype(one.dtype).name for one in net.collect_params().values()}
    for array in arrays_in(inputs):
        name = np.dtype(array.dtype).name
        if name not in types and len(types) == 1:
            (own,) = types
            remedy = f"Convert the data by .astype({own!r}), or the net by net.cast({name!r})."
            yield f"of {own} data, like the parameters of the net", name, remedy


def _several(inputs: List[Any], labels: List[Any]) -> Iterator[Any]:
    if len(inputs) > 1 or len(labels) != 1 or not all(map(is_array, inputs + labels)):
        called = f"loss(net({_names('x', inputs)}), {_names('y', labels)})"
        constraint = f"of batches that fit the net and the loss, called as {called}"
        yield constraint, f"a batch of {kind_of((*inputs, *labels))}", _COMPUTE_LOSS


def _names(letter: str, several: List[Any]) -> str:
    return ", ".join(f"{letter}{n}" for n in range(1, len(several) + 1)) or "nothing"


def first_line(error: Exception) -> str:
    """Return the most helpful line of an MXNet error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "Check failed" in line]
    return (telling or lines or [type(error).__name__])[0]
