"""MXNet, made importable on today's NumPy. Every other module takes `mx` from here."""

import contextlib
import os
from typing import Dict, Iterator

import numpy as np

_REMOVED_ALIASES = {
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "object": object,
    "str": str,
}
_SERVING = ("server", "scheduler")


def _restore_numpy_aliases() -> None:
    """Set back the builtin aliases that NumPy 1.24 removed and MXNet 1.9.1 reads.

    NumPy before that still answers to them, and MXNet does not run with NumPy 2.
    """
    if not (1, 24) <= tuple(int(part) for part in np.__version__.split(".")[:2]) < (2, 0):
        return
    for alias, builtin in _REMOVED_ALIASES.items():
        if alias not in vars(np):
            setattr(np, alias, builtin)


@contextlib.contextmanager
def _serving_put_off() -> Iterator[None]:
    """Let a server or scheduler of a KVStore import MXNet to its end before it serves.

    It would serve in the middle of that import, and for good: no schedule of this package could
    be read out of an optimizer that is sent to it, and MXNet would say so on the server alone.
    """
    role = os.environ.get("DMLC_ROLE")
    if role in _SERVING:
        os.environ["DMLC_ROLE"] = "worker"
    try:
        yield
    finally:
        if role is not None:
            os.environ["DMLC_ROLE"] = role


_restore_numpy_aliases()
try:
    with _serving_put_off():
        import mxnet as mx
except Exception as error:
    raise ImportError(
        f"gluon_lr: `mxnet` must be importable, got {type(error).__name__}: {error}. "
        f"MXNet needs NumPy below 2 (found {np.__version__}) and Python below 3.13; "
        "on Python 3.12 it needs setuptools too. Install them together with "
        "`pip install --upgrade --force-reinstall gluon-lr`."
    ) from error


HAS_GLUON = hasattr(mx, "gluon")  # it has not in a server that began with `import mxnet`
if HAS_GLUON:
    from mxnet.contrib import amp

    estimator = mx.gluon.contrib.estimator
    metric = mx.gluon.metric if hasattr(mx.gluon, "metric") else mx.metric
else:
    from mxnet import lr_scheduler  # noqa: F401 - what the schedules need of it


def serve() -> None:
    """Serve, where this process is a server or scheduler of a KVStore, and end it then."""
    if os.environ.get("DMLC_ROLE") in _SERVING:
        mx.kvstore.kvstore_server._init_kvstore_server_module()


def named_parameters(net: "mx.gluon.Block") -> "Dict[str, mx.gluon.Parameter]":
    """Return a net's parameters by the names they have in files: by their place in the net."""
    if hasattr(net, "_collect_params_with_prefix"):
        return dict(net._collect_params_with_prefix())
    return dict(net.collect_params())


def draws_indices(loader: object) -> bool:
    """Say whether a loader is a DataLoader that reads what its batch sampler draws, in Python."""
    is_one = isinstance(loader, mx.gluon.data.DataLoader)
    return is_one and getattr(loader, "_mx_iter", None) is None


def scalar(array: "mx.nd.NDArray") -> float:
    """Read an array of one element; blocks until it is computed."""
    return float(array.asnumpy().item())


__all__ = [
    "HAS_GLUON",
    "amp",
    "draws_indices",
    "estimator",
    "metric",
    "mx",
    "named_parameters",
    "scalar",
    "serve",
]
