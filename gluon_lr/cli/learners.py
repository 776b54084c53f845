"""What `find` and `compare` share: the user's learner, the search with it, and the output."""

import contextlib
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Tuple, Union

from ..plotting import DPI
from .errors import RequestError
from .files import add_force, check_file, picture

if TYPE_CHECKING:
    from ..finder import Comparison, LRFinder, LRFinderResult

_STDOUT = Path("-")
# Error messages about command-line arguments begin with one of these.
_OF_ARGUMENTS = ("LRFinder.find: ", "LRFinder.compare: ", "HyperParameters: ")


def add_arguments(command: Any) -> None:
    """Add the arguments of both commands."""
    command.add_argument(
        "factory",
        metavar="MODULE:FUNCTION",
        help="a function that takes no arguments and returns a Learner: 'package.module:function'",
    )
    command.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="seed of MXNet's random numbers, for example for dropout",
    )
    command.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help="save a picture of the result to this file"
    )
    command.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write the result to this file as JSON; - is standard output, "
        "and all other output then goes to standard error",
    )
    add_force(command)
    command.add_argument(
        "--quiet", action="store_true", help="print only the answer, without a progress bar"
    )


def run_search(
    options: Any,
    search: "Callable[[LRFinder], Union[LRFinderResult, Comparison]]",
    told: Callable[[Any], str],
) -> Union[str, int]:
    """Search with the factory's learner, write the result, and return what to print.

    Raises
    ------
    RequestError
        If the request is invalid; as far as possible, before the search.
    """
    out = None if options.out is None else picture(options.out, options.force)
    is_bare = options.quiet or options.json == _STDOUT  # user's prints: to stderr
    if options.json != _STDOUT:
        check_file("--json", options.json, options.force)
    if options.length is not None and options.length < 1:
        raise RequestError(f"--length must be at least 1, got {options.length}")
    with contextlib.redirect_stdout(sys.stderr if is_bare else sys.stdout):
        result = _found(options, search)
    if result is None:
        return 0
    lines = [told(result)]
    if out is not None:
        result.plot().figure.savefig(out, dpi=DPI)
        lines += [] if options.quiet else [f"wrote {out}"]
    if options.json == _STDOUT:
        sys.stderr.write("\n".join(lines) + "\n")
        return result.to_json()
    if options.json is not None:
        options.json.write_text(result.to_json(), encoding="utf-8")
        lines += [] if options.quiet else [f"wrote {options.json}"]
    return "\n".join(lines)


def _found(options: Any, search: "Callable[[LRFinder], Any]") -> Any:
    """Run the search, and return its result; None in a worker that is not the first."""
    module, name = _names(options.factory)
    from ..distributed import Workers
    from ..finder.finder import LRFinder, check_learner  # first: it says if MXNet lacks

    learner = _function(module, name)()
    try:
        check_learner(learner)
    except TypeError:
        found = type(learner).__name__
        raise RequestError(f"{options.factory} must return a Learner, got {found}") from None
    finder = LRFinder(learner)
    with contextlib.ExitStack() as stack:
        if hasattr(learner, "close"):
            stack.callback(learner.close)
        try:
            result = search(finder)
        except (TypeError, ValueError) as error:
            if not str(error).startswith(_OF_ARGUMENTS):
                raise
            raise RequestError(str(error)) from None
    return result if Workers.of(learner.trainer).is_first else None


def _names(text: str) -> Tuple[str, str]:
    """Return the two names in `package.module:function`."""
    module_name, colon, name = text.partition(":")
    example = "for example training:make_learner for make_learner() in training.py"
    if not (module_name and colon and name) or module_name.endswith(".py"):
        raise RequestError(f"give MODULE:FUNCTION, {example}, got {text!r}")
    return module_name, name


def _function(module_name: str, name: str) -> Callable[[], Any]:
    """Import a function, also from the working directory."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    text = f"{module_name}:{name}"
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        is_own = f"{module_name}.".startswith(f"{error.name}.")
        remedy = f". Run this in the folder of {module_name.split('.')[0]}" if is_own else ""
        raise RequestError(f"{text}: {error}{remedy}") from error
    factory = getattr(module, name, None)
    if not callable(factory):
        raise RequestError(f"{text}: {module_name} has no function {name!r}")
    return factory
