"""Metrics of the outputs of a net, whatever function calls it."""

import re
from typing import Any, Dict, List, Optional, Sequence

from .. import _check
from .._mxnet import for_metrics, metric
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
        self._metric.update(for_metrics(labels), for_metrics(outputs))

    def values(self) -> Dict[str, float]:
        """Return the value of each metric by its name."""
        return dict(self._metric.get_name_value())


def metric_of(metrics: Any) -> Any:
    """Return one mx.metric.EvalMetric that computes all of `metrics`."""
    several = [] if metrics is None else metrics
    several = list(several) if isinstance(several, (list, tuple)) else [several]
    try:
        return metric.create(several)
    except (AssertionError, TypeError, ValueError) as error:
        constraint = "an argument of mx.metric.create, for example 'acc', or a list of them"
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


def _several(output: Any) -> List[Any]:
    return list(output) if isinstance(output, (tuple, list)) else [output]
