"""Optional packages, each needed for one purpose only."""

import importlib
import shlex
import sys
from types import ModuleType

import numpy as np


def imported(owner: str, package: str) -> ModuleType:
    """Return a package, or raise an ImportError that says how to install it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{owner}: {package} is not installed. Install it: {install_command(package)}"
        ) from error


def install_command(package: str) -> str:
    """Return the command that installs a package here and keeps NumPy's version, for MXNet.

    >>> install_command("optuna")  # doctest: +ELLIPSIS
    '...python... -m pip install optuna numpy==...'
    """
    return f"{shlex.quote(sys.executable)} -m pip install {package} numpy=={np.__version__}"
