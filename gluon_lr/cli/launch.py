"""`gluon-lr launch`: run a script in several workers on this machine."""

import argparse
from typing import Any

from .errors import RequestError


def add_to(commands: Any) -> None:
    """Add the command and its arguments."""
    launch = commands.add_parser(
        "launch",
        help="run a script in several workers on this machine",
        description="Run a command in several workers of MXNet's KVStore on this machine, with "
        "a scheduler and servers, and end all of them if one fails. The exit status is that of "
        "the command.",
    )
    launch.set_defaults(run=run)
    launch.add_argument(
        "-n",
        "--workers",
        type=int,
        default=2,
        metavar="N",
        help="number of workers (default: %(default)s)",
    )
    launch.add_argument(
        "-s",
        "--servers",
        type=int,
        default=1,
        metavar="N",
        help="number of servers (default: %(default)s)",
    )
    launch.add_argument(
        "program",
        nargs=argparse.REMAINDER,
        metavar="-- COMMAND",
        help="the command of each worker, for example: -- python train.py",
    )


def run(options: Any) -> int:
    """Launch the command, and return its exit status."""
    from ..distributed.launch import launch

    command = options.program[options.program[:1] == ["--"] :]
    try:
        return launch(command, options.workers, options.servers)
    except (OSError, ValueError) as error:
        raise RequestError(str(error)) from None
