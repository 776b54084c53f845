"""How good the rates of all the ways to one are: `python -m benchmarks.leaderboard`.

A way searches or tries on one order of the batches. Then the rate it says is trained with, by a
1-cycle in another order, beside a grid of rates in that order. The tables say what share of the
improvement that the best of the grid brings is missed. All that is trained is kept in a file;
what is not there yet is computed. `--quick` trains a part of it anew and compares.
"""

import argparse
import sys
from itertools import islice
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional

import numpy as np
from tqdm import tqdm

from .cases import Case, Outcome
from .measure import Row
from .memory import Memory
from .random_tasks import random_tasks
from .tasks import CHOSEN_ON, REPORTED_ON, Task
from .ways import SEARCHES, TRIALS

FILE = Path(__file__).with_name("leaderboard.json.gz")
LENGTHS = (60, 250, 1000)
CHOSEN_AT = 250  # the length at which random tasks are chosen
SEED, CANDIDATES, USABLE = 2026, 80, 60
KEPT, RANDOM = "30 tasks", "random tasks"
ALLOWED = 0.05  # the shortfall that a good rate may have
CONTRADICTED = 0.15  # how far a shortfall that is computed anew may be from the one in the file
STEADY = ("find", "tune")  # other rates can turn with how a processor rounds
LOST = f"more than {100 * ALLOWED:g} % lost"
SHOWN = (
    "tune(budget=950, keep=True)",
    "tune(budget=220)",
    "find(length=)",
    "fastai's minimum",
    "the optimizer's usual rate",
)
HEAD = """\
| rate by | at most 5 % | at most 15 % | worst | mean | updates | seconds | in its interval |
|---|---:|---:|---:|---:|---:|---:|---:|"""

Outcomes = Dict[str, List[Outcome]]  # by way


# -- cases ---------------------------------------------------------------------------------------


def usable_tasks(memory: Memory) -> List[Task]:
    """Return the first random tasks that a rate matters in."""
    candidates = random_tasks(SEED, CANDIDATES)
    usable = (task for task in candidates if Case(task, 0, CHOSEN_AT, memory).is_usable)
    return list(islice(usable, USABLE))


def cases_of(length: int, memory: Memory) -> Dict[str, List[Case]]:
    """Return the cases of both sets of tasks: fewer at the length that takes long."""
    kept, random = CHOSEN_ON + REPORTED_ON, usable_tasks(memory)
    if length > CHOSEN_AT:
        kept, random = kept[::3], random[:40:2]
    seeds = range(2) if length == CHOSEN_AT else range(1)
    drawn = [Case(task, 0, length, memory) for task in random]
    return {
        KEPT: [Case(task, seed, length, memory) for seed in seeds for task in kept],
        RANDOM: [case for case in drawn if case.is_usable],
    }


# -- outcomes ------------------------------------------------------------------------------------


def outcomes_of(case: Case) -> Dict[str, Outcome]:
    """Go all ways."""
    found = {name: case.outcome(name, way, is_for_length=False) for name, way in SEARCHES.items()}
    for name, way in TRIALS.items():
        found[name] = case.outcome(name, way, is_for_length=True)
    return found


def outcomes(cases: Iterable[Case]) -> Outcomes:
    """Return the outcomes of all the cases, by way."""
    found: Outcomes = {}
    for case in cases:
        for name, outcome in outcomes_of(case).items():
            found.setdefault(name, []).append(outcome)
    return found


def shortfalls(results: List[Outcome]) -> np.ndarray:
    """Return what the rates of one way lose, each."""
    return np.array([result.shortfall for result in results])


# -- the table -----------------------------------------------------------------------------------


def held(results: List[Outcome]) -> str:
    """Return how often the best rate was in the interval, where a way has one."""
    known = [result.holds for result in results if result.holds is not None]
    return f"{np.mean(known):.0%}" if known else ""


def lines(found: Outcomes) -> Iterator[str]:
    """Yield the lines of a table, the way that loses the least first."""
    yield HEAD
    for name, results in sorted(found.items(), key=lambda item: shortfalls(item[1]).mean()):
        lost = shortfalls(results)
        updates = np.mean([result.updates for result in results])
        seconds = np.median([result.seconds for result in results])
        yield (
            f"| {name} | {np.mean(lost <= ALLOWED):.0%} | {np.mean(lost <= 0.15):.0%} | "
            f"{lost.max():.2f} | {lost.mean():.3f} | {updates:.0f} | {seconds:.1f} | "
            f"{held(results)} |"
        )


def rows() -> Iterator[Row]:
    """Yield the share of the cases in which more than is allowed is lost, from the file."""
    memory = Memory(FILE, is_complete=True)
    for length in LENGTHS:
        for name_of_set, cases in cases_of(length, memory).items():
            found = outcomes(cases)
            for name in SHOWN:
                share = float(np.mean(shortfalls(found[name]) > ALLOWED))
                yield Row(f"{name}: {LOST}", f"{name_of_set}, {length} updates", share)


# -- a quick look --------------------------------------------------------------------------------


def contradictions(length: int, numbers: slice) -> Iterator[str]:
    """Train the cases anew; yield each way of ours whose shortfall is not that of the file."""
    known = Memory(FILE, is_complete=True)
    fresh, remembered = Memory(), cases_of(length, known)
    for name_of_set, cases in remembered.items():
        expected = outcomes(cases[numbers])
        anew = [Case(case.task, case.seed, length, fresh) for case in cases[numbers]]
        found = outcomes(tqdm(anew, desc=name_of_set, leave=False))
        print(f"\n{title(name_of_set, length, anew)}\n")
        print("\n".join(lines(found)))
        for name, results in expected.items():
            for was, now in zip(results, found[name]):
                changed = abs(was.shortfall - now.shortfall) > CONTRADICTED
                if changed and name.startswith(STEADY):
                    yield f"{name}, {was.task}: {now.shortfall:.3f}, not {was.shortfall:.3f}"


def title(name_of_set: str, length: int, cases: List[Case]) -> str:
    """Name a table."""
    return f"{length} updates, {name_of_set}: {len(cases)} cases"


# -- the command line ----------------------------------------------------------------------------


def part_of_all(text: str) -> slice:
    """Read A:B, or A:B:STEP."""
    return slice(*map(int, text.split(":")))


def make_parser() -> argparse.ArgumentParser:
    """Make the command line's parser."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="train a few cases anew and compare with the file"
    )
    parser.add_argument(
        "--length", type=int, choices=LENGTHS, help="only trainings of so many updates"
    )
    parser.add_argument(
        "--tasks", type=part_of_all, metavar="A:B", help="only these cases of each table"
    )
    parser.add_argument(
        "--part",
        default="",
        metavar="NAME",
        help="write to a file of its own, beside the one that the next run without it makes of "
        "all, so that two processes can share the work",
    )
    return parser


def main(arguments: Optional[List[str]] = None) -> int:
    """Compute what is missing and print the tables; return 1 if the file is contradicted."""
    options = make_parser().parse_args(arguments)
    if options.quick:
        found = list(contradictions(options.length or 60, options.tasks or slice(0, 60, 15)))
        print("\n" + ("\n".join(found) or "as in the file"))
        return int(bool(found))
    memory = Memory(FILE, options.part)
    for length in [options.length] if options.length else LENGTHS:
        for name_of_set, cases in cases_of(length, memory).items():
            chosen = cases[options.tasks or slice(None)]
            for case in tqdm(chosen, desc=title(name_of_set, length, chosen), leave=False):
                outcomes_of(case)
            memory.save()
            print(f"\n{title(name_of_set, length, chosen)}\n")
            print("\n".join(lines(outcomes(chosen))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
