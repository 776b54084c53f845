"""The command line: `gluon-lr demo | find | compare | plot | table | launch`."""

import argparse
import contextlib
import importlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Union

import numpy as np

from . import demo
from ._mxnet import mx
from ._version import __version__
from .distributed.launch import launch
from .distributed.workers import Workers
from .finder import Comparison, LRFinder, LRFinderResult
from .schedules import Schedule, schedule
from .schedules.plot import plot_schedule, rates_in, shown_length, spread


class _RequestError(Exception):
    """A request that cannot be met, and why."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command line and return its exit status.

    It is 0, 2 after a bad argument and 130 after Ctrl-C; that of `launch` is its command's.
    """
    options = _parser().parse_args(arguments)
    try:
        outcome = options.run(options)
    except _RequestError as reason:
        sys.stderr.write(f"gluon-lr {options.command}: {reason}\n")
        return 2
    except KeyboardInterrupt:
        sys.last_type = KeyboardInterrupt  # as Python does: a worker then waits for no other
        return 130
    if isinstance(outcome, int):
        return outcome
    sys.stdout.write(outcome + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
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
    demo.set_defaults(run=_demo)
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("gluon-lr-demo"),
        metavar="DIR",
        help="directory for the pictures, made if there is none (default: %(default)s)",
    )

    find = commands.add_parser(
        "find",
        help="find a learning rate for your own training",
        description="Find a rate for the Learner that a function of yours returns, print it "
        "and draw the search. Modules are looked for in the working directory too.",
    )
    find.set_defaults(run=_find)
    find.add_argument(
        "--refine",
        action="store_true",
        help="search again around the suggestion: twice as long, and better",
    )
    find.add_argument(
        "--length",
        type=int,
        metavar="N",
        help="updates of the training that the rate is for (default: 250)",
    )

    compare = commands.add_parser(
        "compare",
        help="compare settings of your own training",
        description="Compare weight decays, momenta, batch sizes or optimizers for the Learner "
        "that a function of yours returns, by searches at each or by trials, and print a table.",
    )
    compare.set_defaults(run=_compare)
    compare.add_argument(
        "--set",
        action="append",
        required=True,
        dest="settings",
        metavar="NAME=VALUE,VALUE",
        help="what to compare, once or several times: wd=0,1e-4 mom=0.9,0.95 batch_size=16,32 "
        "optimizer=sgd,adam",
    )
    compare.add_argument(
        "--grid", action="store_true", help="compare all combinations, and not each name alone"
    )
    compare.add_argument(
        "--tune",
        action="store_true",
        help="judge by trials of the training on held-out data; takes longer, and needs --length",
    )
    compare.add_argument(
        "--length",
        type=int,
        metavar="N",
        help="updates of the training that is meant (default without --tune: 250)",
    )
    compare.add_argument(
        "--repeats",
        type=int,
        metavar="N",
        help="searches at each setting, without --tune (default: 3)",
    )

    for command in (find, compare):
        command.add_argument(
            "factory",
            metavar="MODULE:FUNCTION",
            help="a function without arguments that returns a Learner, 'package.module:function'",
        )
        command.add_argument("-o", "--out", type=Path, metavar="FILE", help="file for the picture")
        command.add_argument(
            "--json", type=Path, metavar="FILE", help="file for the result as JSON"
        )

    plot = commands.add_parser(
        "plot",
        help="draw schedules",
        description="Draw one schedule, or several in one picture. Without a display, and "
        "with -o, the picture goes to a file.",
    )
    plot.set_defaults(run=_plot)
    plot.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="FILE",
        help="file for the picture; its ending tells the format "
        "(default: a window, or schedule.png without a display)",
    )

    table = commands.add_parser(
        "table",
        help="print schedules as numbers",
        description="Print the rates of one schedule or of several.",
    )
    table.set_defaults(run=_table)

    launch = commands.add_parser(
        "launch",
        help="run a script in several workers on this machine",
        description="Run a command in several workers of MXNet's KVStore on this machine, with "
        "a scheduler and servers, and end all of them when one fails.",
    )
    launch.set_defaults(run=_launch)
    launch.add_argument(
        "-n",
        "--workers",
        type=int,
        default=2,
        metavar="N",
        help="how many workers (default: %(default)s)",
    )
    launch.add_argument(
        "-s",
        "--servers",
        type=int,
        default=1,
        metavar="N",
        help="how many servers (default: %(default)s)",
    )
    launch.add_argument(
        "program",
        nargs=argparse.REMAINDER,
        metavar="-- COMMAND",
        help="the command of each worker: -- python train.py",
    )

    for command in (plot, table):
        command.add_argument(
            "schedules",
            nargs="+",
            metavar="SCHEDULE",
            help="a schedule as in Python, quoted: "
            "'LinearWarmUp(CosineScheduler(1000, base_lr=0.1), start_lr=0, length=100)'",
        )
        command.add_argument(
            "--iterations",
            type=int,
            metavar="N",
            help="the last iteration shown (default: as many as the schedule lasts, or as show "
            "what it does)",
        )
    return parser


def _demo(options: Any) -> str:
    if importlib.util.find_spec("sklearn") is None:
        raise _RequestError("the demo's digits are scikit-learn's: pip install 'gluon-lr[demo]'")
    out = options.out
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        reason = f"--out {out} must be a directory that can be written to: {error}"
        raise _RequestError(reason) from None
    return demo.run(out)


def _find(options: Any) -> Union[str, int]:
    return _searched(
        options, lambda finder: finder.find(refine=options.refine, length=options.length)
    )


def _compare(options: Any) -> Union[str, int]:
    values = _read_settings(options.settings)
    if options.tune and options.length is None:
        raise _RequestError("--length must be given with --tune: the updates of your training")
    if options.tune and options.repeats is not None:
        raise _RequestError("--repeats must be left out with --tune: a race decides on its own")
    if options.repeats is not None and options.repeats < 1:
        raise _RequestError(f"--repeats must be at least 1, got {options.repeats}")
    repeats = {} if options.repeats is None else {"repeats": options.repeats}

    def compare(finder: LRFinder) -> Comparison:
        try:
            return finder.compare(
                values, grid=options.grid, tune=options.tune, length=options.length, **repeats
            )
        except (TypeError, ValueError) as error:
            if not str(error).startswith(_OF_SETTINGS):
                raise
            raise _RequestError(str(error)) from None

    return _searched(options, compare)


_OF_SETTINGS = ("LRFinder.compare: ", "HyperParameters: ")  # how their messages begin


def _searched(
    options: Any, search: Callable[[LRFinder], Union[LRFinderResult, Comparison]]
) -> Union[str, int]:
    """Search with what the factory returns, and show and write what was found."""
    _check_file("--out", options.out)
    _check_file("--json", options.json)
    if options.out is not None:
        _check_picture(options.out)
    if options.length is not None and options.length < 1:
        raise _RequestError(f"--length must be at least 1, got {options.length}")
    learner = _factory(options.factory)()
    try:
        finder = LRFinder(learner)
    except TypeError as error:
        raise _RequestError(f"{options.factory} must return a Learner. {error}") from None
    with contextlib.ExitStack() as stack:
        if hasattr(learner, "close"):
            stack.callback(learner.close)
        result = search(finder)
    if not Workers.of(learner.trainer).is_first:
        return 0
    lines = [repr(result)]
    if options.out is not None:
        _save_figure(result.plot().figure, options.out)
        lines.append(str(options.out))
    if options.json is not None:
        options.json.write_text(result.to_json(), encoding="utf-8")
        lines.append(str(options.json))
    return "\n".join(lines)


def _read_settings(texts: Sequence[str]) -> Dict[str, List[Any]]:
    """Read `wd=0,1e-4` and the like."""
    settings: Dict[str, List[Any]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        if not (name and values):
            raise _RequestError(f"--set must be NAME=VALUE,VALUE, got {text!r}")
        if name == "net":
            raise _RequestError(
                "--set net needs Python, as nets are made by functions: "
                "LRFinder(learner).compare({'net': {'narrow': make_narrow, 'wide': make_wide}})"
            )
        if name in settings:
            raise _RequestError(f"--set {name} must be given once, with all values: {name}=A,B,C")
        read, kind = _READERS.get(name, (float, "numbers"))
        try:
            settings[name] = [read(value) for value in values.split(",")]
        except ValueError:
            raise _RequestError(f"--set {name} must be {kind}, got {values!r}") from None
    return settings


def _optimizer(name: str) -> str:
    mx.optimizer.create(name)
    return name


_READERS: Dict[str, Any] = {
    "batch_size": (int, "integers"),
    "optimizer": (_optimizer, "names of MXNet's optimizers"),
}


def _factory(text: str) -> Callable[[], Any]:
    """Import what `package.module:function` names."""
    module_name, colon, name = text.partition(":")
    if not (module_name and colon and name):
        raise _RequestError(f"the factory must be MODULE:FUNCTION, got {text!r}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    if module_name.endswith(".py"):
        raise _RequestError(f"the factory must be MODULE:FUNCTION without .py, got {text!r}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise _RequestError(f"{text}: {error}") from error
    factory = getattr(module, name, None)
    if not callable(factory):
        raise _RequestError(f"{text}: {module_name} has no function {name!r}")
    return factory


def _check_file(option: str, path: Optional[Path]) -> None:
    """Refuse before the work what could not be written after it."""
    if path is None:
        return
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise _RequestError(f"{option} {path} must be a file in a directory that can be written to")


def _check_picture(path: Path) -> None:
    from matplotlib.backend_bases import FigureCanvasBase

    formats = FigureCanvasBase.get_supported_filetypes()
    if path.suffix and path.suffix[1:].lower() not in formats:
        known = ", ".join(sorted(formats))
        raise _RequestError(f"--out {path} must be a file for a picture, one of {known}")


def _save_figure(figure: Any, path: Path) -> None:
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise _RequestError(f"--out {path} must be a file for a picture: {error}") from None


def _plot(options: Any) -> str:
    schedules = _read_schedules(options)
    from matplotlib import pyplot

    single = len(schedules) == 1
    ax = plot_schedule(next(iter(schedules.values())) if single else schedules, options.iterations)
    out = options.out
    if out is None and ax.figure.canvas.required_interactive_framework is None:
        out = Path("schedule.png")
    if out is None:
        pyplot.show()
        return "closed"
    _save_figure(ax.figure, out)
    return str(out)


def _table(options: Any) -> str:
    schedules = _read_schedules(options)
    last = options.iterations or shown_length([*schedules.values()])
    counts = np.unique(np.append(spread(0, last, 21), 1))
    columns = [rates_in(one, last, counts) for one in schedules.values()]
    names = ["rate"]
    lines = []
    if len(schedules) > 1:
        names = [f"({number})" for number in range(1, len(schedules) + 1)]
        lines = [f"{name} {text}" for name, text in zip(names, schedules)]
    lines.append("iteration" + "".join(f"{name:>14}" for name in names))
    for count, *rates in zip(counts, *columns):
        lines.append(f"{count:>9}" + "".join(f"{rate:>14.6g}" for rate in rates))
    return "\n".join(lines)


def _launch(options: Any) -> int:
    command = options.program[options.program[:1] == ["--"] :]
    try:
        return launch(command, options.workers, options.servers)
    except (OSError, ValueError) as error:
        raise _RequestError(str(error)) from None


def _read_schedules(options: Any) -> Dict[str, Schedule]:
    if options.iterations is not None and options.iterations < 1:
        raise _RequestError(f"--iterations must be at least 1, got {options.iterations}")
    try:
        return {text: schedule(text) for text in options.schedules}
    except ValueError as error:
        raise _RequestError(str(error)) from None
