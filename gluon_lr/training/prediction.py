"""The outputs of a net for all samples of a pass, joined to arrays of the whole pass."""

from typing import Any, List, Sequence

import numpy as np

from .. import _check
from .._mxnet import array_of, mx
from ..data.structure import Batch, arrays_in, inputs_and_labels, is_array, mapped
from .misfit import first_line


class Collected:
    """Collects the arrays of batches, and joins them along the axis of the samples.

    Parameters
    ----------
    batch_axis : int
        The axis of the samples. If its length is not the number of samples, the first axis.
    """

    def __init__(self, batch_axis: int) -> None:
        self._axis = batch_axis
        self._first: Any = None
        self._parts: List[List[np.ndarray]] = []
        self._samples: List[int] = []

    def add(self, part: Any, samples: int) -> None:
        """Add the arrays for `samples` samples.

        Raises
        ------
        ValueError
            If there are more or fewer arrays than before.
        """
        arrays = [array.asnumpy() for array in arrays_in(part)]
        if not self._parts:
            self._first = part
        elif len(arrays) != len(self._parts[0]):
            constraint = f"a net that returns {len(self._parts[0])} arrays for each batch"
            raise ValueError(_check.message("predict", "net", constraint, len(arrays)))
        self._parts.append(arrays)
        self._samples.append(samples)

    def joined(self) -> Any:
        """Return arrays of all samples, in the same structure.

        Raises
        ------
        ValueError
            If an array has no axis of the samples, or two axes may be that axis.
        """
        joined = iter([self._joined(arrays) for arrays in zip(*self._parts)])
        return mapped(lambda array: next(joined), self._first)

    def _joined(self, arrays: Sequence[np.ndarray]) -> Any:
        """Join the arrays of the batches into one."""
        axes = [axis for axis in {self._axis, 0} if self._is_of_samples(axis, arrays)]
        if len(axes) == 1:
            return array_of(np.concatenate(arrays, axes[0]))
        if axes:
            constraint = "of batches of another size, because two axes of the output have this size"
            argument, value = "data_loader", arrays[0].shape
        else:
            constraint = f"a net that returns an output for each of the {self._samples[0]} samples"
            argument, value = "net", arrays[0].shape
        raise ValueError(_check.message("predict", argument, constraint, value))

    def _is_of_samples(self, axis: int, arrays: Sequence[np.ndarray]) -> bool:
        pairs = zip(arrays, self._samples)
        return all(axis < one.ndim and one.shape[axis] == samples for one, samples in pairs)


def output_of(net: Any, inputs: Sequence[Any]) -> Any:
    """Return the output of a net, or raise an error that says what in the inputs does not fit.

    MXNet's own error, which names no argument, is its cause.
    """
    try:
        return net(*inputs)
    except (mx.base.MXNetError, AssertionError, TypeError, ValueError) as error:
        shapes = ", ".join(str(getattr(one, "shape", one)) for one in inputs)
        constraint = "batches that fit the net"
        remedy = f"MXNet says: {first_line(error)}"
        message = _check.message("predict", "data_loader", constraint, f"one of {shapes}", remedy)
        raise ValueError(message) from error


def inputs_of(batch: Batch) -> List[Any]:
    """Return a net's inputs in a batch: the parts before the label, or an array itself."""
    return [batch] if is_array(batch) else inputs_and_labels(batch)[0]
