"""The command line's messages for invalid requests and for exceptions."""

import sysconfig
import traceback
from pathlib import Path
from typing import Optional

_LIBRARIES = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]
_LIBRARIES.append(Path(__file__).parent.parent)  # gluon_lr


class RequestError(Exception):
    """An invalid request, with the reason."""


def described(error: Exception) -> str:
    """Return an exception as one line: its type, its message, and the line of the user's code."""
    name, text, place = type(error).__name__, _summary(error), _place(error)
    if isinstance(error, SyntaxError) and error.filename:
        text, place = error.msg, f"{Path(error.filename).name}, line {error.lineno}"
    text = text.rstrip(".")
    said = text if text.startswith(f"{name}: ") else f"{name}: {text}"  # MXNet's begin so
    return said + (f" ({place})" if place else "")


def _summary(error: Exception) -> str:
    """Return the main line of a message: the last one if a C++ traceback of MXNet comes first."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0]).strip()


def _place(error: Exception) -> Optional[str]:
    """Return the innermost line of the traceback that is not in a library."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_file() and not any(folder in path.parents for folder in _LIBRARIES):
            return f"{path.name}, line {frame.lineno}"
    return None
