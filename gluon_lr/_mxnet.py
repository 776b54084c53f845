"""MXNet, made importable on today's NumPy. Every other module takes `mx` from here."""

from typing import Dict

import numpy as np

_REMOVED_ALIASES = {
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "object": object,
    "str": str,
}


def _restore_numpy_aliases() -> None:
    """Set back the builtin aliases that NumPy 1.24 removed and MXNet 1.9.1 reads.

    NumPy before that still answers to them, and MXNet does not run with NumPy 2.
    """
    if not (1, 24) <= tuple(int(part) for part in np.__version__.split(".")[:2]) < (2, 0):
        return
    for alias, builtin in _REMOVED_ALIASES.items():
        if alias not in vars(np):
            setattr(np, alias, builtin)


_restore_numpy_aliases()
try:
    import mxnet as mx
except Exception as error:
    raise ImportError(
        f"gluon_lr: `mxnet` must be importable, got {type(error).__name__}: {error}. "
        f"MXNet needs NumPy below 2 (found {np.__version__}) and Python below 3.13; "
        "on Python 3.12 it needs setuptools too. Install them together with "
        "`pip install --upgrade --force-reinstall gluon-lr`."
    ) from error


estimator = mx.gluon.contrib.estimator
metric = mx.gluon.metric if hasattr(mx.gluon, "metric") else mx.metric


def named_parameters(net: mx.gluon.Block) -> Dict[str, mx.gluon.Parameter]:
    """Return a net's parameters by the names they have in files: by their place in the net."""
    if hasattr(net, "_collect_params_with_prefix"):
        return dict(net._collect_params_with_prefix())
    return dict(net.collect_params())


def scalar(array: mx.nd.NDArray) -> float:
    """Read an array of one element; blocks until it is computed."""
    return float(array.asnumpy().item())


__all__ = ["estimator", "metric", "mx", "named_parameters", "scalar"]
