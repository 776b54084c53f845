"""The default loss of a Learner."""

from typing import Any

import numpy as np

from .. import _check
from .._mxnet import mx

_REGRESSION = "Pass another loss, for example loss=mx.gluon.loss.L2Loss() to predict numbers."


class DefaultLoss(mx.gluon.loss.SoftmaxCrossEntropyLoss):
    """Softmax cross-entropy, which checks that the first labels are class numbers."""

    _has_looked = False

    def __call__(self, output: Any, *labels: Any) -> Any:
        """Return one loss per sample, for labels from 0 to the number of classes minus 1.

        Raises
        ------
        ValueError
            If the first labels are not class numbers, or the net returns one number per sample.
        """
        if not self._has_looked:
            _look(output, labels)
            self._has_looked = True
        return super().__call__(output, *labels)


def _look(output: Any, labels: Any) -> None:
    if not isinstance(output, mx.nd.NDArray) or len(labels) != 1:
        parts = f"{type(output).__name__} and {len(labels)} labels"
        raise _unfit(
            "for one output and one label", parts, "Pass the Learner `loss` or `compute_loss`."
        )
    label = labels[0]
    classes = output.shape[-1]
    if classes == 1:
        raise _unfit("for nets with two or more outputs, one per class", output.shape, _REGRESSION)
    if label.shape == output.shape:
        loss = "mx.gluon.loss.SoftmaxCrossEntropyLoss(sparse_label=False)"
        remedy = f"For one-hot labels, pass loss={loss}."
        raise _unfit("for labels that are class numbers", f"labels of shape {label.shape}", remedy)
    numbers = label.asnumpy()
    is_class = (numbers == np.floor(numbers)) & (numbers >= 0) & (numbers < classes)
    if not is_class.all():
        value = f"{numbers[~is_class].flat[0]:g} among the labels"
        raise _unfit(f"for labels from 0 to {classes - 1}", value, _REGRESSION)


def _unfit(constraint: str, value: Any, remedy: str) -> ValueError:
    given = f"given, because the default, softmax cross-entropy, is {constraint}"
    return ValueError(_check.message("Learner", "loss", given, value, remedy))
