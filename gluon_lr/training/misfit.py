"""Explains why a net or a loss fails on a batch, and what to write instead."""

import traceback
from typing import Any, Iterator, List, Optional, Sequence

import numpy as np

from .. import _check
from .._mxnet import mx
from ..data.structure import Batch, arrays_in, inputs_and_labels, is_array, kind_of

_COMPUTE_LOSS = "Pass `compute_loss`, a function of (net, batch) that returns the losses."


def misfit_of(net: Any, batch: Batch, output: Any, error: Exception) -> Optional[ValueError]:
    """Return an error that says what in a batch does not fit, or None if it is not known.

    Parameters
    ----------
    net : mx.gluon.Block
        The net.
    batch : object
        A batch of inputs and labels.
    output : object
        What the net returned, or None if it failed.
    error : Exception
        The error of ``loss(net(*inputs), *labels)``.
    """
    inputs, labels = inputs_and_labels(batch)
    for found in (
        _no_array(inputs),
        _of_another_type(net, inputs),
        _several(inputs, labels),
        _of_other_shapes(inputs, labels, output, error),
    ):
        for constraint, value, remedy in found:
            remedy = f"{remedy} MXNet says: {first_line(error)}"
            loader = "data_loader" if mx.autograd.is_training() else "valid_loader"
            return ValueError(_check.message("Learner", loader, constraint, value, remedy))
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
            remedy = f"Convert the data by .astype({own!r})"
            remedy += f", or the net by net.cast({name!r})." if name.startswith("float") else "."
            yield f"of {own} data, like the parameters of the net", name, remedy


def _several(inputs: List[Any], labels: List[Any]) -> Iterator[Any]:
    if len(inputs) > 1 or len(labels) != 1 or not all(map(is_array, inputs + labels)):
        called = f"loss(net({_names('x', inputs)}), {_names('y', labels)})"
        yield _fits(called), f"a batch of {kind_of((*inputs, *labels))}", _COMPUTE_LOSS


def _of_other_shapes(
    inputs: List[Any], labels: List[Any], output: Any, error: Exception
) -> Iterator[Any]:
    """Find an array and a label whose shapes MXNet does not accept."""
    if not _is_raised_in_mxnet(error):
        return
    (x,), (y,) = inputs, labels
    if is_array(output):
        of_loss = f"net(x) of shape {output.shape} and y of shape {y.shape}"
        yield _fits("loss(net(x), y)"), of_loss, "Pass a loss for these shapes."
    elif output is None:
        of_batch = f"x of shape {x.shape} and y of shape {y.shape}"
        yield _fits("loss(net(x), y)"), of_batch, "In a batch, the label comes last."


def _is_raised_in_mxnet(error: Exception) -> bool:
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).split(".")[0] == "mxnet"


def _fits(called: str) -> str:
    return f"of batches that fit the net and the loss, called as {called}"


def _names(letter: str, several: List[Any]) -> str:
    return ", ".join(f"{letter}{n}" for n in range(1, len(several) + 1)) or "nothing"


def no_gradient_of(
    parameters: Sequence[mx.gluon.Parameter], error: Exception
) -> Optional[ValueError]:
    """Return an error that says why losses have no gradient; None for another error of MXNet."""
    if "not in a computational graph" not in str(error):
        return None
    if all(one.grad_req == "null" for one in parameters):
        remedy = "Set grad_req = 'write' of those to train."
        constraint, value = "one with parameters to train", "grad_req='null' for all of them"
        return ValueError(_check.message("Learner", "net", constraint, value, remedy))
    constraint, value = "computed from the outputs of the net", "losses without a gradient"
    remedy = "Remove detach(), asnumpy() and autograd.pause() from what computes them."
    return ValueError(_check.message("Learner", "loss", constraint, value, remedy))


def first_line(error: Exception) -> str:
    """Return the most helpful line of an MXNet error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "Check failed" in line]
    return (telling or lines or [type(error).__name__])[0]
