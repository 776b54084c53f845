"""What MXNet needs before it is imported. This module does not import MXNet."""

import contextlib
import os
from typing import Iterator

import numpy as np

_REMOVED_ALIASES = {
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "object": object,
    "str": str,
}


def restore_numpy_aliases() -> None:
    """Restore the aliases of builtins that NumPy 1.24 removed and MXNet 1.9.1 uses.

    Older versions of NumPy still have them, and MXNet does not run with NumPy 2.
    """
    if not (1, 24) <= tuple(int(part) for part in np.__version__.split(".")[:2]) < (2, 0):
        return
    for alias, builtin in _REMOVED_ALIASES.items():
        if alias not in vars(np):
            setattr(np, alias, builtin)


def is_serving() -> bool:
    """Return whether this process is a server or scheduler of a KVStore."""
    return os.environ.get("DMLC_ROLE") in ("server", "scheduler")


@contextlib.contextmanager
def serving_put_off() -> Iterator[None]:
    """Let a server of a KVStore finish the import of MXNet before it serves.

    Otherwise it starts to serve in the middle of the import and never returns. It could then not
    unpickle an optimizer with a schedule of this package. Only the server would show that error.
    A scheduler, which unpickles nothing, is ready sooner without the rest of the import.
    """
    is_server = os.environ.get("DMLC_ROLE") == "server"
    if is_server:
        os.environ["DMLC_ROLE"] = "worker"
    try:
        yield
    finally:
        if is_server:
            os.environ["DMLC_ROLE"] = "server"
