"""The default loss of a Learner."""

from typing import Any

from .. import _check
from .._mxnet import mx
from .labels import misread


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
            self._look(output, labels)
            self._has_looked = True
        return super().__call__(output, *labels)

    def _look(self, output: Any, labels: Any) -> None:
        if not isinstance(output, mx.nd.NDArray) or len(labels) != 1:
            parts = f"{type(output).__name__} and {len(labels)} labels"
            remedy = "Pass the Learner `loss` or `compute_loss`."
            raise _unfit("for one output and one label", parts, remedy)
        found = misread(self, output, labels[0])
        if found is not None:
            raise _unfit(found.loss_is_for, found.got, f"{found.remedy}.")


def _unfit(loss_is_for: str, value: str, remedy: str) -> ValueError:
    given = f"given, because the default, softmax cross-entropy, is {loss_is_for}"
    return ValueError(_check.message("Learner", "loss", given, value, remedy))
