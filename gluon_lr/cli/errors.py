"""What the command line says of requests that cannot be met, and of exceptions."""

import sysconfig
import traceback
from pathlib import Path
from typing import Optional

_OF_OTHERS = (Path(__file__).parent.parent, *map(Path, sysconfig.get_paths().values()))


class RequestError(Exception):
    """A request that cannot be met, and why."""


def described(error: Exception) -> str:
    """Return an exception in one line: its type, what it says, and the line of the user's code."""
    text, place = _summary(error), _place(error)
    if isinstance(error, SyntaxError) and error.filename:
        text, place = error.msg, f"{Path(error.filename).name}, line {error.lineno}"
    return f"{type(error).__name__}: {text}" + (f" ({place})" if place else "")


def _summary(error: Exception) -> str:
    """Return the line of a message that says most: MXNet's have a traceback of C++ before it."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0]).strip()


def _place(error: Exception) -> Optional[str]:
    """Return the innermost line that is of no library."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if not any(folder in path.parents for folder in _OF_OTHERS):
            return f"{path.name}, line {frame.lineno}"
    return None
