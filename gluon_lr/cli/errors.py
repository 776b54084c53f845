"""What the command line says of requests that cannot be met, and of exceptions."""

import sysconfig
import traceback
from pathlib import Path
from typing import Optional

_LIBRARIES = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]
_LIBRARIES.append(Path(__file__).parent.parent)  # gluon_lr


class RequestError(Exception):
    """A request that cannot be met, and why."""


def described(error: Exception) -> str:
    """Return an exception in one line: its type, what it says, and the line of the user's code."""
    name, text, place = type(error).__name__, _summary(error), _place(error)
    if isinstance(error, SyntaxError) and error.filename:
        text, place = error.msg, f"{Path(error.filename).name}, line {error.lineno}"
    text = text.rstrip(".")
    said = text if text.startswith(f"{name}: ") else f"{name}: {text}"  # as MXNet's begin
    return said + (f" ({place})" if place else "")


def _summary(error: Exception) -> str:
    """Return the line of a message that says most: MXNet's have a traceback of C++ before it."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0]).strip()


def _place(error: Exception) -> Optional[str]:
    """Return the innermost line that is of no library."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_file() and not any(folder in path.parents for folder in _LIBRARIES):
            return f"{path.name}, line {frame.lineno}"
    return None
