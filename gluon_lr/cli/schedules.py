"""`gluon-lr plot`, `table` and `schedules`: schedules as plots, as numbers and as a list."""

import inspect
import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Type

from ..plotting import DPI
from .errors import RequestError
from .files import add_force, picture

if TYPE_CHECKING:
    from ..schedules import Schedule

_WIDTH = 100  # columns of the list


def add_to(commands: Any) -> None:
    """Add the commands and their arguments."""
    plot = commands.add_parser(
        "plot",
        help="draw schedules",
        description="Draw one schedule, or several in one picture. Without a display, and "
        "with -o, the picture is saved to a file.",
    )
    plot.set_defaults(run=run_plot)
    plot.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="FILE",
        help="file for the picture; its extension sets the format "
        "(default: a window, or schedule.png without a display)",
    )
    add_force(plot)

    table = commands.add_parser(
        "table",
        help="print schedules as numbers",
        description="Print the rates of one schedule or of several.",
    )
    table.set_defaults(run=run_table)

    for command in (plot, table):
        command.add_argument(
            "schedules",
            nargs="+",
            metavar="SCHEDULE",
            help="a schedule as in Python, quoted: "
            "'LinearWarmUp(CosineScheduler(1000, base_lr=0.1), start_lr=0, length=100)'; "
            "`gluon-lr schedules` lists them all",
        )
        command.add_argument(
            "--iterations",
            type=int,
            metavar="N",
            help="last iteration to show (default: the end of the schedule, or enough to show its "
            "shape if it has no end)",
        )

    listed = commands.add_parser(
        "schedules",
        help="list the schedules that plot and table know",
        description="List the schedules that plot, table and gluon_lr.schedule know, including "
        "those of other packages, with their arguments and what they do.",
    )
    listed.set_defaults(run=run_schedules)


def run_plot(options: Any) -> str:
    """Draw schedules in a window or to a file, and return what to print."""
    schedules = _read_schedules(options)
    from matplotlib import pyplot

    from ..schedules.plot import plot_schedule

    out = None if options.out is None else picture(options.out, options.force)
    single = len(schedules) == 1
    ax = plot_schedule(next(iter(schedules.values())) if single else schedules, options.iterations)
    if out is None and ax.figure.canvas.required_interactive_framework is None:
        out = picture(Path("schedule.png"), options.force)
    if out is None:
        pyplot.show()
        return ""
    pyplot.savefig(out, dpi=DPI)
    return f"wrote {out}"


def run_table(options: Any) -> str:
    """Return the rates of schedules as a table."""
    schedules = _read_schedules(options)
    import numpy as np

    from ..schedules.plot import rates_in, shown_length, spread

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


def run_schedules(options: Any) -> str:
    """Return a list of all schedules that a text may use."""
    from ..schedules.text import class_named, known_names

    entries = []
    for name in known_names():
        try:
            entries.append(_entry(class_named(name)))
        except ValueError as error:
            sys.stderr.write(f"gluon-lr schedules: {name}: {error}\n")
    return "\n".join(entries)


def _entry(cls: "Type[Schedule]") -> str:
    """Return the signature of a class and, below it, the first sentence of its docstring."""
    plain = [
        one.replace(annotation=inspect.Parameter.empty)
        for one in inspect.signature(cls).parameters.values()
    ]
    call = f"{cls.__name__}{inspect.Signature(plain)}"
    hanging = " " * (len(cls.__name__) + 1)
    first = (inspect.getdoc(cls) or "").split("\n\n")[0]
    sentence = re.split(r"(?<=\.)\s", re.sub(r":\w+:|`(?=`)", "", first))[0]
    return "\n".join(
        [
            *textwrap.wrap(call, _WIDTH, subsequent_indent=hanging),
            *textwrap.wrap(sentence, _WIDTH, initial_indent="    ", subsequent_indent="    "),
        ]
    )


def _read_schedules(options: Any) -> "Dict[str, Schedule]":
    if options.iterations is not None and options.iterations < 1:
        raise RequestError(f"--iterations must be at least 1, got {options.iterations}")
    from ..schedules import schedule

    try:
        return {text: schedule(text) for text in options.schedules}
    except ValueError as error:
        raise RequestError(str(error)) from None
