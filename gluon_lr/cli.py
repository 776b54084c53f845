"""The command line: `gluon-lr demo`."""

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Optional, Sequence

from ._version import __version__


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command line and return its exit status: 0, or 2 after a bad argument."""
    parser = argparse.ArgumentParser(
        prog="gluon-lr", description="The learning-rate toolkit for Apache MXNet Gluon."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    demo = commands.add_parser(
        "demo",
        help="find a rate for handwritten digits and train by it",
        description="Find a rate for handwritten digits, train by it and at MXNet's default "
        "rate, print a table and draw three pictures. Takes a few seconds.",
    )
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("gluon-lr-demo"),
        metavar="DIR",
        help="directory for the pictures, made if there is none (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    return _demo(options.out)


def _demo(out: Path) -> int:
    if importlib.util.find_spec("sklearn") is None:
        return _refuse("the demo's digits are scikit-learn's: pip install 'gluon-lr[demo]'")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        return _refuse(f"--out {out} must be a directory that can be written to: {error}")
    from . import demo

    sys.stdout.write(demo.run(out) + "\n")
    return 0


def _refuse(reason: str) -> int:
    sys.stderr.write(f"gluon-lr demo: {reason}\n")
    return 2
