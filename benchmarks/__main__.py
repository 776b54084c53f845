"""All benchmarks in one table: `python -m benchmarks [NAME ...] [--json FILE] [--peers PYTHON]`."""

import argparse
import datetime
import importlib
import json
import os
import platform
import sys
from functools import partial
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional

import numpy as np

from gluon_lr._mxnet import mx

from .measure import NamedRow, Row, attempted, heard, print_table, status

MINUTES = [
    "schedule_call",
    "finder_overhead",
    "fit_overhead",
    "step_overhead",
    "workers_overhead",
    "leaderboard",
    "compared",
]
LONGER = [
    "workers_growth",
    "alike",
    "time_budget",
    "changed_lengths",
    "group_rates",
    "super_convergence",
    "transfer",
    "noise_scale",
]
HOW_TO_PEERS = (
    "\nTo measure torch, torch-lr-finder and fastai beside: `pip install torch torch-lr-finder "
    "fastai` in an environment of its own, and `--peers` with its Python."
)


def make_parser() -> argparse.ArgumentParser:
    """Make the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure, print one table, and end with status 1 if a figure misses its goal.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"what to measure: {', '.join(MINUTES)}, which are run without a name, some minutes "
        f"in all; {', '.join(LONGER)}, which take four minutes to an hour",
    )
    parser.add_argument(
        "--json",
        type=Path,
        default="benchmarks.json",
        metavar="FILE",
        help="for machine, date and rows (default: %(default)s)",
    )
    parser.add_argument(
        "--peers",
        metavar="PYTHON",
        help="the Python of an environment with torch, torch-lr-finder and fastai, to measure too",
    )
    return parser


def rows_of(part: str) -> Iterator[Row]:
    """Yield the rows of one part."""
    yield from importlib.import_module(f"benchmarks.{part}").rows()


def measured(names: Iterable[str], peers: Optional[str]) -> Iterator[NamedRow]:
    """Yield the rows of all that is asked for, each with the name of its part."""
    parts = [(name, partial(rows_of, name)) for name in names]
    if peers is not None:
        parts.append(("peers", partial(heard, [peers, "-m", "benchmarks.peers"])))
    for name, rows in parts:
        for row in attempted(rows):
            yield name, row


def processor() -> str:
    """Return the name of the processor."""
    information = Path("/proc/cpuinfo")
    for line in information.read_text().splitlines() if information.exists() else ():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def machine() -> Dict[str, str]:
    """Say what the figures are measured on, and how busy it is before."""
    return {
        "Python": platform.python_version(),
        "MXNet": mx.__version__,
        "NumPy": np.__version__,
        "CPU": processor(),
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def write(path: Path, machine: Dict[str, str], rows: Iterable[NamedRow]) -> None:
    """Write machine, date and rows."""
    document = {
        "machine": machine,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "rows": [{"part": part, **row._asdict()} for part, row in rows],
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def main(arguments: Optional[List[str]] = None) -> int:
    """Measure what is asked for; return 1 if a figure is above its goal."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in MINUTES + LONGER:
            parser.error(f"NAME must be one of {', '.join(MINUTES + LONGER)}, got {name!r}.")
    if not options.json.parent.is_dir():
        parser.error(f"--json: there is no folder {options.json.parent}.")
    found = machine()
    print(", ".join(f"{name} {value}" for name, value in found.items()) + "\n")
    rows = print_table(measured(options.names or MINUTES, options.peers))
    write(options.json, found, rows)
    if options.peers is None:
        print(HOW_TO_PEERS)
    return status(rows)


if __name__ == "__main__":
    sys.exit(main())
