"""MXNet, with the differences between its versions 1.9 and 2.0 hidden.

All other modules import `mx` from here and do not check the version.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from typing import Any, ContextManager

import numpy as np

from ._before_mxnet import is_serving, serving_put_off

try:
    with serving_put_off():
        import mxnet as mx
except Exception as error:
    needed = "'numpy<2' setuptools" if sys.version_info >= (3, 12) else "'numpy<1.24'"
    text = str(error).rstrip(".")
    raise ImportError(
        f"gluon_lr: `mxnet` must be importable, got {type(error).__name__}: {text}. "
        f"MXNet needs NumPy below 1.24 (on Python 3.12: 1.26; found {np.__version__}) and Python "
        "below 3.13. Reinstall all packages of your project with one command, so that pip chooses "
        "versions that work together. Replace OTHERS with your other packages: "
        f"`{sys.executable} -m pip install 'mxnet>=1.9.1' {needed} OTHERS`."
    ) from error


MXNET_2 = int(mx.__version__.split(".")[0]) >= 2
HAS_GLUON = hasattr(mx, "gluon")  # False in a server that started with `import mxnet`

if not HAS_GLUON:
    from mxnet import lr_scheduler  # noqa: F401 - the schedules need it
else:
    if MXNET_2:
        from mxnet import amp
        from mxnet.gluon import metric
    else:
        from mxnet import metric
        from mxnet.contrib import amp
    estimator = mx.gluon.contrib.estimator
    nd = mx.np if MXNET_2 else mx.nd  # makes arrays for Gluon's blocks
    Context = type(mx.cpu())
    current_context = mx.current_device if MXNET_2 else mx.current_context


def serve() -> None:
    """If this process is a server or scheduler of a KVStore, serve, then exit."""
    if is_serving():
        mx.kvstore.kvstore_server._init_kvstore_server_module()


def save_arrays(path: str, arrays: dict[str, Any]) -> None:
    """Save arrays with their names, in the format of ``net.save_parameters``."""
    if MXNET_2:
        mx.npx.savez(path, **arrays)
    else:
        mx.nd.save(path, arrays)


def named_parameters(net: mx.gluon.Block) -> dict[str, mx.gluon.Parameter]:
    """Return a net's parameters by their names in files, which depend on their place in the net."""
    if hasattr(net, "_collect_params_with_prefix"):
        return dict(net._collect_params_with_prefix())
    return dict(net.collect_params())


def contexts_of(owner: Any) -> list[mx.Context]:
    """Return the contexts of a Parameter or of an Estimator.

    Raises
    ------
    RuntimeError
        If the parameter is not initialised.
    """
    if isinstance(owner, mx.gluon.Parameter):
        return owner.list_device() if MXNET_2 else owner.list_ctx()
    return owner.device if MXNET_2 else owner.context


def number_without_gaps(trainer: mx.gluon.Trainer) -> None:
    """Make a KVStore that does not exist yet number the parameters as the optimizer does.

    MXNet 2.0 skips numbers for shared parameters; rates and states would go to the wrong ones.
    """
    if not trainer._kv_initialized and len(trainer._param2idx) == len(trainer._params):
        trainer._param2idx = {key: number for number, key in enumerate(trainer._param2idx)}


def infer_shapes_anew(net: mx.gluon.Block) -> None:
    """Make a net infer shapes again at its next call, as at its first."""

    def forget(block: mx.gluon.Block) -> None:
        block._called_infer_shape_already = False  # checked by 2.0
        if isinstance(block, mx.gluon.HybridBlock):
            block._clear_cached_op()

    net.apply(forget)


def lay_out_plainly(array: Any) -> None:
    """Convert an array to MXNet's own layout, in place; the numbers do not change.

    A forward pass without `record` leaves the weights of convolutions in the layout of oneDNN. A
    distributed KVStore cannot read that layout. Asking the C API for the data converts them.
    """
    address = ctypes.c_void_p()
    mx.base.check_call(mx.base._LIB.MXNDArrayGetData(array.handle, ctypes.byref(address)))


def write(array: Any, values: np.ndarray) -> None:
    """Write numbers into an array of mx.nd or mx.np, also into one with sparse storage."""
    kind = mx.np if isinstance(array, mx.np.ndarray) else mx.nd
    made = kind.array(values, dtype=values.dtype)
    (made if array.stype == "default" else made.tostype(array.stype)).copyto(array)


def array_of(values: np.ndarray) -> Any:
    """Return numbers as an array of the same kind as parameters, which `npx.set_np()` decides."""
    kind = mx.np if mx.util.is_np_array() else mx.nd
    return kind.array(values, dtype=values.dtype)


def as_mx_nd(array: Any) -> Any:
    """Return an array as an mx.nd array, the kind that updaters pass to optimizers."""
    return array.as_nd_ndarray() if isinstance(array, mx.np.ndarray) else array


def for_gluon(array: Any) -> Any:
    """Return an array for Gluon's blocks: in 2.0 they need mx.np arrays; a DataIter has others."""
    if MXNET_2 and not isinstance(array, mx.np.ndarray) and array.stype == "default":
        return array.as_np_ndarray()
    return array


def for_metrics(arrays: list[Any]) -> list[Any]:
    """Return arrays for MXNet's metrics: those of 1.9 do not accept mx.np arrays."""
    if MXNET_2:
        return arrays
    return [as_mx_nd(one) for one in arrays]


def is_recorded(array: Any) -> bool:
    """Return whether autograd recorded the computation of an array from arrays with gradients."""
    symbol = mx.base.SymbolHandle()
    if mx.base._LIB.MXAutogradGetSymbol(array.handle, ctypes.byref(symbol)):
        return False
    # inputs with a gradient are called var0, var1, ..., and other inputs null0, null1, ...
    return any(name.startswith("var") for name in mx.symbol.Symbol(symbol).list_inputs())


def untraced() -> ContextManager[Any]:
    """Return a block whose computations 2.0 does not trace into the graph of a hybrid net."""
    return mx._deferred_compute.context(False) if MXNET_2 else contextlib.nullcontext()


def threads_of(loader: Any) -> Any:
    """Return the C++ iterator of a DataLoader (in 2.0 and with workers), or None.

    All passes share it: without `reset()`, a new pass continues the old one.
    """
    return getattr(getattr(loader, "_mx_iter", None), "_iter", None)


def momentum_in(state: Any) -> Any:
    """Return the momentum in a state of SGD or NAG; the state may also hold a copy of weights."""
    return state[1 if MXNET_2 else 0] if isinstance(state, tuple) else state


def draws_indices(loader: Any) -> bool:
    """Return whether a loader is a DataLoader that reads its sampler's indices in Python."""
    return isinstance(loader, mx.gluon.data.DataLoader) and threads_of(loader) is None


def keeps_all_samples(batchify: Any) -> bool:
    """Return whether `batchify` is MXNet's own, so that no sample is left out of a batch."""
    is_own = getattr(batchify, "__module__", "").startswith("mxnet.gluon.data.")
    return is_own and all(map(keeps_all_samples, getattr(batchify, "_fn", ())))


def scalar(array: mx.nd.NDArray) -> float:
    """Return the number in an array of one element; wait until it is computed."""
    return float(array.asnumpy().item())


__all__ = [
    "HAS_GLUON",
    "MXNET_2",
    "Context",
    "amp",
    "array_of",
    "as_mx_nd",
    "contexts_of",
    "current_context",
    "draws_indices",
    "estimator",
    "for_gluon",
    "for_metrics",
    "infer_shapes_anew",
    "is_recorded",
    "keeps_all_samples",
    "lay_out_plainly",
    "metric",
    "momentum_in",
    "mx",
    "named_parameters",
    "nd",
    "number_without_gaps",
    "save_arrays",
    "scalar",
    "serve",
    "threads_of",
    "untraced",
    "write",
]
