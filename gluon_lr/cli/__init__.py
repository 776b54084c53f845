# PYTHON_ARGCOMPLETE_OK
"""The command line: `gluon-lr demo | find | compare | plot | table | schedules | launch`.

Commands import what they need only when they run: `--version`, `--help` and completion are fast.
"""

import argparse
import contextlib
import os
import sys
from typing import Optional, Sequence

from .._version import __version__
from . import compare, demo, find, launch, schedules
from .errors import RequestError, described

_DEBUG = "show the traceback of an exception"
_EPILOG = """\
exit status: 0 if the command succeeds, even if a search finds no rate;
1 after an exception in your code; 2 if an argument is wrong or cannot be used;
130 after Ctrl-C; `launch` returns the exit status of its command

completion in bash and zsh: pip install argcomplete; eval "$(register-python-argcomplete gluon-lr)"
"""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command line and return its exit status.

    The status is 0 on success, even if a search finds no rate. It is 1 after an exception in the
    user's code, 2 for an invalid request, and 130 after Ctrl-C. `launch` returns the status of
    its command.
    """
    parser = _parser()
    _complete(parser)
    options = parser.parse_args(arguments)
    try:
        outcome = options.run(options)
    except RequestError as reason:
        sys.stderr.write(f"gluon-lr {options.command}: {reason}\n")
        return 2
    except KeyboardInterrupt:
        sys.last_type = KeyboardInterrupt  # as Python does: a worker then does not wait for others
        return 130
    except Exception as error:
        if options.debug:
            raise
        sys.last_type = type(error)
        raised = f"{options.factory} raised " if "factory" in options else ""
        sys.stderr.write(
            f"gluon-lr {options.command}: {raised}{described(error)}; --debug shows the traceback\n"
        )
        return 1
    if isinstance(outcome, int):
        return outcome
    if outcome:
        sys.stdout.write(outcome + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gluon-lr",
        description="The learning-rate toolkit for Apache MXNet Gluon.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("--debug", action="store_true", help=_DEBUG)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in (demo, find, compare, schedules, launch):
        module.add_to(commands)
    for command in commands.choices.values():  # SUPPRESS keeps a --debug before the command
        command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=_DEBUG)
    return parser


def _complete(parser: argparse.ArgumentParser) -> None:
    """If the shell asks for completions, print them and exit."""
    if "_ARGCOMPLETE" in os.environ:
        with contextlib.suppress(ImportError):
            import argcomplete

            argcomplete.autocomplete(parser)
