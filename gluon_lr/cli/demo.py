"""`gluon-lr demo`: find a learning rate for handwritten digits and train with it."""

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

from .._extras import install_command
from .errors import RequestError


def add_to(commands: Any) -> None:
    """Add the command and its arguments."""
    demo = commands.add_parser(
        "demo",
        help="find a rate for handwritten digits and train with it",
        description="Find a rate for handwritten digits, train with it and with MXNet's default "
        "rate, print a table and draw three pictures. Takes a few seconds.",
    )
    demo.set_defaults(run=run)
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("gluon-lr-demo"),
        metavar="DIR",
        help="directory for the pictures, created if needed (default: %(default)s)",
    )


def run(options: Any) -> str:
    """Run the demo, and return what to print."""
    if importlib.util.find_spec("sklearn") is None:
        raise RequestError(
            f"the demo needs scikit-learn. Install it: {install_command('scikit-learn')}"
        )
    out = options.out
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        reason = f"--out {out} must be a writable directory: {error}"
        raise RequestError(reason) from None
    from .. import demo

    return demo.run(out)
