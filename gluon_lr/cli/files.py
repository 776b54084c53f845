"""The files that a command writes: checked before the work, and overwritten only with --force."""

import os
from pathlib import Path
from typing import Any, Optional

from .errors import RequestError


def add_force(command: Any) -> None:
    """Give a command the option to overwrite files."""
    command.add_argument(
        "--force", action="store_true", help="overwrite existing files (default: show an error)"
    )


def check_file(option: str, path: Optional[Path], force: bool) -> None:
    """Check that a file can be written without losing an existing one.

    Raises
    ------
    RequestError
        If the file cannot be written, or if it exists and `force` is not given.
    """
    if path is None:
        return
    written = path if path.is_file() else path.parent
    if path.is_dir() or not path.parent.is_dir() or not os.access(written, os.W_OK):
        raise RequestError(f"{option} {path} must be a writable file in an existing directory")
    if path.is_file() and not force:
        raise RequestError(
            f"{option} {path} exists. Choose another file, or add --force to overwrite it"
        )


def picture(path: Path, force: bool) -> Path:
    """Check the file of a picture, and return its path; add .png if it has no extension.

    Raises
    ------
    RequestError
        In the cases of :func:`check_file`, and if the extension is of no known format.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    path = path if path.suffix else path.with_name(path.name + ".png")
    formats = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        known = ", ".join(sorted(formats))
        raise RequestError(
            f"--out {path} must be a picture file with one of the extensions {known}"
        )
    check_file("--out", path, force)
    return path
