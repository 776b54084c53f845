"""What the benchmarks share: two things timed in turn, rows of figures, and their table.

Standard library only: `benchmarks.peers` runs where MXNet is not.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

ROUNDS = 15
TABLE_ROW = "| {:16} | {:64} | {:35} | {:>7} | {:>5} |"
Action = Callable[[], Any]


class Row(NamedTuple):
    """One figure: `what` beside something else. Below 1 means that it is the lesser one."""

    what: str
    beside: str = ""
    figure: Optional[float] = None
    goal: Optional[float] = None
    lowest: Optional[float] = None
    highest: Optional[float] = None

    @property
    def missed(self) -> bool:
        """Whether the figure is above its goal."""
        return self.figure is not None and self.goal is not None and self.figure > self.goal


NamedRow = Tuple[str, Row]  # with the name of its part


class Unavailable(SystemExit):
    """A benchmark cannot be run here; the message says why."""


# -- time ----------------------------------------------------------------------------------------


def seconds(action: Action) -> float:
    """Time an action."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def ratios(
    action: Action, beside: Action, rounds: int = ROUNDS, before: Optional[Action] = None
) -> List[float]:
    """Time two actions in turn, each once to warm up; `before` runs before each, not timed."""

    def timed(action: Action) -> float:
        if before is not None:
            before()
        return seconds(action)

    timed(action), timed(beside)
    return [timed(action) / timed(beside) for _ in range(rounds)]


def compared(what: str, beside: str, ratios: List[float], goal: Optional[float] = None) -> Row:
    """Make the row of such ratios, of which the median counts."""
    return Row(what, beside, statistics.median(ratios), goal, min(ratios), max(ratios))


def in_updates(name: str, loop: Action, updates: int) -> str:
    """Name a loop, and say how long each of its updates takes at its best."""
    best = min(seconds(loop) for _ in range(3))
    return f"{name} ({1e3 * best / updates:.1f} ms an update)"


# -- rows ----------------------------------------------------------------------------------------


def attempted(rows: Callable[[], Iterable[Row]]) -> Iterator[Row]:
    """Yield rows, and where they cannot be had here one that says why."""
    try:
        yield from rows()
    except (ModuleNotFoundError, Unavailable) as reason:
        yield Row(f"not measured: {reason}")


def say(rows: Iterable[Row]) -> None:
    """Print rows as JSON, for `heard`; what else is printed meanwhile goes to stderr."""
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        for row in rows:
            print(json.dumps(row._asdict()), file=out, flush=True)


def heard(command: Sequence[str]) -> Iterator[Row]:
    """Run a program that `say`s rows, and yield each as it comes."""
    with tempfile.TemporaryFile("w+") as errors:
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        except OSError as error:
            raise Unavailable(f"{command[0]} cannot be started: {error.strerror}") from None
        with process:
            for line in process.stdout or ():
                yield Row(**json.loads(line))
        if process.returncode:
            errors.seek(0)
            said = errors.read().strip() or f"status {process.returncode}"
            sys.stderr.write(said + "\n")
            raise Unavailable(f"{command[0]} failed: {said.splitlines()[-1]}")


# -- the table -----------------------------------------------------------------------------------


def print_table(rows: Iterable[NamedRow]) -> List[NamedRow]:
    """Print each row as it comes; return all."""
    print(TABLE_ROW.format("part", "what", "beside", "ratio", "goal"))
    print(TABLE_ROW.format("---", "---", "---", "---:", "---:"))
    printed = []
    for part, row in rows:
        figure = "" if row.figure is None else f"{row.figure:.3f}"
        goal = "" if row.goal is None else f"{row.goal:g}"
        print(TABLE_ROW.format(part, row.what, row.beside, figure, goal), flush=True)
        printed.append((part, row))
    return printed


def status(rows: Iterable[NamedRow]) -> int:
    """Say how many figures are above their goals; return 1 if there are any."""
    missed = sum(row.missed for _, row in rows)
    print(f"\n{missed} above the goal" if missed else "\nall within the goal")
    return int(missed > 0)


def main(part: str, rows: Iterable[Row]) -> int:
    """Print the table of one part; return its exit status."""
    return status(print_table((part, row) for row in rows))
