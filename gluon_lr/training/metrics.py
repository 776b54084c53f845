"""Metrics of the outputs of a net, whatever function calls it."""

import re
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from .. import _check
from .._mxnet import for_metrics, metric, mx
from ..data.structure import Batch, inputs_and_labels

# words in the names of MXNet's metrics, and of errors and losses
_UP = "accuracy|acc|f1|fbeta|mcc|pcc|pearsonr|pearsoncorrelation|cos_sim"
_DOWN = "loss|error|mse|rmse|mae|mpd|cross-entropy|crossentropy|perplexity|nll"


class ListeningNet:
    """A net that stores the outputs of its calls.

    Parameters
    ----------
    net : mx.gluon.Block
        The net; its attributes are available here too.
    """

    def __init__(self, net: Any) -> None:
        self._net = net
        self.outputs: List[Any] = []

    def __call__(self, *inputs: Any) -> Any:
        """Call the net."""
        output = self._net(*inputs)
        self.outputs.append(output)
        return output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._net, name)


class Measured:
    """Metrics over the batches of a pass.

    Parameters
    ----------
    metrics : optional
        As in :func:`metric_of`.
    """

    def __init__(self, metrics: Any) -> None:
        self._metric = metric_of(metrics)
        self._metric.reset()
        self._has_looked = False

    def listening_to(self, net: Any) -> Any:
        """Return a net to call instead of `net`, for :meth:`update`."""
        return ListeningNet(net) if self._metric.metrics else net

    def update(self, net: Any, parts: Sequence[Batch]) -> None:
        """Add the labels of a batch and the net's outputs, on each context, to the metrics.

        Raises
        ------
        ValueError
            If the net was not called once per context, or does not return as many arrays as
            there are labels.
        """
        if not isinstance(net, ListeningNet):
            return
        if len(net.outputs) != len(parts):
            constraint = "omitted if compute_loss does not call its argument `net` exactly once"
            value = f"{len(net.outputs)} calls on {len(parts)} contexts"
            remedy = "Compute the metrics in a callback, for example at after_validate."
            raise ValueError(_check.message("validate", "metrics", constraint, value, remedy))
        labels = [label for part in parts for label in inputs_and_labels(part)[1]]
        outputs = [one for output in net.outputs for one in _several(output)]
        if not self._has_looked:
            self._look(labels[0], outputs[0])
            self._has_looked = True
        self._metric.update(for_metrics(labels), for_metrics(outputs))

    def _look(self, label: Any, output: Any) -> None:
        """Raise a ValueError if Accuracy would misread an output."""
        for one in self._metric.metrics:
            if type(one) is metric.Accuracy and _is_misread(one, label, output):
                constraint = "for this net, and Accuracy is for one output per class"
                remedy = (
                    "Pass a function of the two arrays, for example lambda label, output: "
                    "((output.reshape(-1) > 0) == label.reshape(-1)).mean()."
                )
                value = f"outputs of shape {output.shape}"
                raise ValueError(_check.message("validate", "metrics", constraint, value, remedy))

    def values(self) -> Dict[str, float]:
        """Return the value of each metric by its name."""
        return dict(self._metric.get_name_value())


def metric_of(metrics: Any) -> Any:
    """Return one mx.metric.EvalMetric that computes all of `metrics`."""
    several = [] if metrics is None else metrics
    several = list(several) if isinstance(several, (list, tuple)) else [several]
    constraint = "an argument of mx.metric.create, for example 'acc', or a list of them"
    for one in several:
        if isinstance(one, (type, mx.gluon.Block)):
            remedy = _check.of_class(one) or "The loss of the Learner is always computed."
            raise TypeError(_check.message("Learner", "metrics", constraint, one, remedy))
    try:
        return metric.create(several)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise ValueError(_check.message("Learner", "metrics", constraint, metrics)) from error


def direction_of(name: str) -> Optional[str]:
    """Return 'min' or 'max' if lower or higher is better for this name; None if unknown.

    >>> [direction_of(name) for name in ("rmse", "top_k_accuracy_5", "valid_loss", "iou")]
    ['min', 'max', 'min', None]
    """
    words = f"_{name.lower()}_"
    up, down = (re.search(rf"(?<![a-z0-9])({names})(?![a-z0-9])", words) for names in (_UP, _DOWN))
    if bool(up) == bool(down) or re.search("(?<![a-z])(neg|negative)(?![a-z])", words):
        return None
    return "max" if up else "min"


def _is_misread(accuracy: Any, label: Any, output: Any) -> bool:
    """Return whether Accuracy takes one output for two classes: it reads class 0.

    Of an output in the shape of the label it takes the whole part.
    """
    if output.shape == label.shape:
        numbers = output.asnumpy()
        return bool((numbers != np.floor(numbers)).any())
    return bool(output.ndim > 1 and output.shape[accuracy.axis] == 1)


def _several(output: Any) -> List[Any]:
    return list(output) if isinstance(output, (tuple, list)) else [output]
