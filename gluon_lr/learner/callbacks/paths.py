"""Checks of the paths to which callbacks write."""

from pathlib import Path
from typing import Any, Optional

from ... import _check
from ...events import Callback


def check_directory(callback: Callback, learner: Any) -> None:
    """Raise a FileNotFoundError in all workers if the directory of `path` is not on the first."""
    path: Optional[Path] = vars(callback)["path"]
    if path is not None and not learner.workers.of_first(path.parent.is_dir()):
        constraint, name = "in an existing directory", type(callback).__name__
        remedy = "Create the directory first."
        raise FileNotFoundError(_check.message(name, "path", constraint, str(path), remedy))
