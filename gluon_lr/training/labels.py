"""Labels that MXNet's losses misread without an error."""

from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence

import numpy as np

from .. import _check
from .._mxnet import mx
from ..data.structure import is_array

_OTHER_LOSS = "Pass another loss, for example loss=mx.gluon.loss.L2Loss() to predict numbers"


class Misread(NamedTuple):
    """What a loss is for, what it got instead, and what to do."""

    loss_is_for: str
    got: str
    remedy: str


def misread(loss: Any, output: Any, label: Any) -> Optional[Misread]:
    """Return how one of MXNet's losses would misread an array of labels; None if it would not.

    MXNet takes a class number outside of 0 to n - 1 for the nearest one within, and a fraction for
    the number below it.
    """
    if not isinstance(label, mx.nd.NDArray) or np.dtype(label.dtype).kind not in "fiub":
        return None  # bfloat16 is not known to NumPy
    for family, read in _READ.items():
        if isinstance(loss, family):
            return read(loss, output, label)
    return None


def check_labels(loss: Any, output: Any, labels: Sequence[Any]) -> None:
    """Raise a ValueError if `loss` is a loss of MXNet that would misread these labels.

    With a second label, weights, there is no check: a weight of 0 hides a label.
    """
    is_mxnets = type(loss).__module__ == mx.gluon.loss.__name__
    if not is_mxnets or len(labels) != 1 or not isinstance(output, mx.nd.NDArray):
        return
    found = misread(loss, output, labels[0])
    if found is not None:
        constraint = f"one for these labels, and {type(loss).__name__} is {found.loss_is_for}"
        remedy = f"{found.remedy}. For labels to ignore, use batches of (data, (label, weight))."
        raise ValueError(_check.message("Learner", "loss", constraint, found.got, remedy))


def warn_of_broadcast(output: Any, labels: Sequence[Any], losses: Any) -> None:
    """Warn if a loss has taken each output with each label: (n, 1) with (n,) gives (n, n)."""
    if len(labels) != 1 or not all(map(is_array, (output, labels[0], losses))):
        return
    label = labels[0]
    if output.shape != label.shape and output.size == label.size < losses.size:
        _check.warn_caller(
            f"Learner: the loss has shape {losses.shape} for outputs of shape {output.shape} and "
            f"labels of shape {label.shape}: it takes each output with each label. In the loss, "
            "use label.reshape(output.shape)."
        )


def _as_classes(loss: Any, output: Any, label: Any) -> Optional[Misread]:
    if not loss._sparse_label:
        return None
    classes = output.shape[loss._axis]
    if classes == 1:
        for_several = "for nets with two or more outputs, one per class"
        return Misread(for_several, str(output.shape), _OTHER_LOSS)
    if label.shape == output.shape:
        one_hot = "mx.gluon.loss.SoftmaxCrossEntropyLoss(sparse_label=False)"
        remedy = f"For one-hot labels, pass loss={one_hot}"
        return Misread(
            "for labels that are class numbers", f"labels of shape {label.shape}", remedy
        )
    numbers = label.asnumpy()
    fits = (numbers == np.floor(numbers)) & (numbers >= 0) & (numbers < classes)
    remedy = (
        "Number the classes from 0, and give the net one output for each. To predict numbers, pass "
        "another loss, for example loss=mx.gluon.loss.L2Loss()"
    )
    return _first_other(f"for labels from 0 to {classes - 1}", numbers, fits, remedy)


def _as_signs(loss: Any, output: Any, label: Any) -> Optional[Misread]:
    numbers = label.asnumpy()
    return _first_other("for labels of -1 and 1", numbers, np.abs(numbers) == 1)


def _as_signs_or_bits(loss: Any, output: Any, label: Any) -> Optional[Misread]:
    signed = loss._label_format == "signed"
    return (_as_signs if signed else _as_probabilities)(loss, output, label)


def _as_probabilities(loss: Any, output: Any, label: Any) -> Optional[Misread]:
    numbers = label.asnumpy()
    return _first_other("for labels from 0 to 1", numbers, (numbers >= 0) & (numbers <= 1))


def _first_other(
    loss_is_for: str, numbers: np.ndarray, fits: np.ndarray, remedy: str = _OTHER_LOSS
) -> Optional[Misread]:
    if fits.all():
        return None
    return Misread(loss_is_for, f"{numbers[~fits].flat[0]:g} among the labels", remedy)


_READ: Dict[type, Callable[[Any, Any, Any], Optional[Misread]]] = {
    mx.gluon.loss.SoftmaxCrossEntropyLoss: _as_classes,
    mx.gluon.loss.SigmoidBinaryCrossEntropyLoss: _as_probabilities,
    mx.gluon.loss.HingeLoss: _as_signs,
    mx.gluon.loss.SquaredHingeLoss: _as_signs,
    mx.gluon.loss.LogisticLoss: _as_signs_or_bits,
}
