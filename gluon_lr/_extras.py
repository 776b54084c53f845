"""Packages that are wanted for one purpose alone."""

import importlib
from types import ModuleType


def imported(owner: str, package: str, extra: str) -> ModuleType:
    """Return a package, or raise an ImportError that says how to install it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{owner}: {package} is not installed; pip install 'gluon-lr[{extra}]'."
        ) from error
