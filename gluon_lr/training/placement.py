"""The contexts on which a net is initialised and trained."""

from typing import List, Optional, Union

from .. import _check
from .._mxnet import Context as MXNetContext
from .._mxnet import contexts_of, current_context, mx

Context = Union[mx.Context, List[mx.Context]]


def contexts_for(net: mx.gluon.Block, ctx: Optional[Context]) -> List[mx.Context]:
    """Return the contexts to train on; raise if the net is initialised on others."""
    places = [
        context
        for parameter in net.collect_params().values()
        if _is_initialized(parameter)
        for context in contexts_of(parameter)
    ]
    occupied = list(dict.fromkeys(places))
    if ctx is None:
        return occupied or [current_context()]
    wanted = list(ctx) if isinstance(ctx, (list, tuple)) else [ctx]
    if not wanted or not all(isinstance(context, MXNetContext) for context in wanted):
        constraint = "an mx.Context or a list of them"
        remedy = "Pass other arguments by name: valid_loader=..., loss=..., trainer=..."
        raise TypeError(_check.message("Learner", "ctx", constraint, ctx, remedy))
    if occupied and set(wanted) != set(occupied):
        constraint = f"the contexts on which the net is initialised, {occupied}"
        remedy = "First call reset_ctx(ctx) on each parameter of the net."
        raise ValueError(_check.message("Learner", "ctx", constraint, ctx, remedy))
    return wanted


def initialize(net: mx.gluon.Block, contexts: List[mx.Context]) -> None:
    """Initialise the parameters of a net that are not initialised, by `mx.init.Xavier()`."""
    for parameter in net.collect_params().values():
        if not _is_initialized(parameter):
            parameter.initialize(ctx=contexts, default_init=mx.init.Xavier())


def _is_initialized(parameter: mx.gluon.Parameter) -> bool:
    """Return whether a parameter has values, or gets them once its shape is known."""
    try:
        contexts_of(parameter)
    except RuntimeError:
        return False
    return True
