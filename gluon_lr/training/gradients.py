"""The gradients of a trainer's parameters."""

import inspect
import math
from typing import Any, Iterable, List

import numpy as np

from .. import _check
from .._memo import remembered
from .._mxnet import as_mx_nd, mx
from .._trainer import parameters_of
from ..distributed.workers import Workers


def are_added_up(trainer: mx.gluon.Trainer) -> bool:
    """Return whether backward passes add to gradients instead of overwriting them."""
    return any(one.grad_req == "add" for one in parameters_of(trainer))


def written_of(trainer: mx.gluon.Trainer) -> List[mx.gluon.Parameter]:
    """Return the parameters whose gradients backward passes overwrite."""
    return [one for one in parameters_of(trainer) if one.grad_req == "write"]


def set_added_up_to_zero(trainer: mx.gluon.Trainer) -> None:
    """Set the gradients to which backward passes add to 0."""
    for parameter in parameters_of(trainer):
        if parameter.grad_req == "add" and parameter._grad is not None:
            for gradient in map(as_mx_nd, parameter.list_grad()):  # as 2.0's zero_grad needs
                mx.nd.zeros_like(gradient, out=gradient)


def warn_of_unused(trainer: mx.gluon.Trainer) -> None:
    """Warn of parameters without a gradient from the backward pass: no update changes them."""
    names = [
        one.name for one in parameters_of(trainer) if one.grad_req != "null" and _is_stale(one)
    ]
    if names:
        _check.warn_caller(
            f"Learner: {', '.join(names)} got no gradient, because the losses do not depend on "
            "them, so they are not trained. To freeze parameters, set their grad_req to 'null'."
        )


def warn_of_zeros(trainer: mx.gluon.Trainer) -> None:
    """Warn if MXNet 1.9's Adamax, which has no epsilon, is about to divide 0 by 0.

    This happens at its first update, if a gradient is 0. The weights are then NaN.
    """
    if type(trainer.optimizer) is not mx.optimizer.Adamax or hasattr(trainer.optimizer, "epsilon"):
        return
    trained = [one for one in parameters_of(trainer) if one.grad_req != "null"]
    if any((_sum(one.list_grad()).asnumpy() == 0).any() for one in trained if not _is_stale(one)):
        _check.warn_caller(
            "Learner: MXNet 1.9's Adamax divides 0 by 0 if a gradient is exactly 0 at its first "
            "update, for example because of a column of zeros or a dead unit. The weights are NaN "
            "from now on. Use 'adam' or 'nadam', or MXNet 2.0."
        )


def norm_of_sum(trainer: mx.gluon.Trainer, workers: Workers) -> float:
    """Return the norm of all gradients together, each summed over its contexts and workers."""
    sums = [_sum(one.list_grad()).astype("float32") for one in _fresh_of(trainer)]
    if workers.count > 1:
        return math.sqrt(sum(float(np.square(workers.sum(one.asnumpy())).sum()) for one in sums))
    norms = [mx.nd.norm(one) for one in sums]
    return math.sqrt(sum(float(norm.asscalar()) ** 2 for norm in norms))


def gradients_on(trainer: mx.gluon.Trainer, context: mx.Context) -> List[Any]:
    """Return the gradients on a context, of parameters that have got one."""
    return [as_mx_nd(one.grad(context)) for one in _fresh_of(trainer)]


def squared_norms(gradients: Iterable[Any]) -> Any:
    """Return an array whose sum is the squared norm of all gradients, without waiting."""
    by_rows_or_not = [one if one.stype == "default" else mx.nd.norm(one) for one in gradients]
    arrays = [one.astype("float32", copy=False) for one in by_rows_or_not]
    return mx.nd.multi_sum_sq(*arrays, num_arrays=len(arrays))


def weighted_sums(by_context: Iterable[List[Any]], weights: Iterable[float]) -> List[Any]:
    """Return the weighted sum over contexts of each gradient, with one weight per context."""
    weighted = [
        gradients if weight == 1 else [one * weight for one in gradients]
        for gradients, weight in zip(by_context, weights)
    ]
    return [_sum(one) for one in zip(*weighted)]


def update_weights(trainer: mx.gluon.Trainer, divisor: float) -> None:
    """Update the parameters, without those that have no gradient if the trainer allows it."""
    if _can_ignore_stale(getattr(trainer.step, "__func__", trainer.step)):
        trainer.step(divisor, ignore_stale_grad=True)
    else:
        trainer.step(divisor)


@remembered
def _can_ignore_stale(step: Any) -> bool:
    parameters = inspect.signature(step).parameters
    accepts_any = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    return accepts_any or "ignore_stale_grad" in parameters


def _fresh_of(trainer: mx.gluon.Trainer) -> List[mx.gluon.Parameter]:
    trained = [one for one in parameters_of(trainer) if one.grad_req != "null"]
    return [one for one in trained if not _is_stale(one)]


def _is_stale(parameter: mx.gluon.Parameter) -> bool:
    return not all(array._fresh_grad for array in parameter._data or ())


def _sum(by_context: Iterable[Any]) -> Any:
    total, *others = map(as_mx_nd, by_context)
    for other in others:
        total = total + other.as_in_context(total.context)
    return total
