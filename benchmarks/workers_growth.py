"""What an update takes in one to four workers on this machine, and the bytes that it sends.

`python -m benchmarks.workers_growth`. It counts all bytes on the loopback interface, so nothing
else may talk there meanwhile.
"""

import math
import statistics
import sys
from pathlib import Path
from typing import Any, Dict, Iterator

from .finder_overhead import NETS
from .measure import Action, Row, Unavailable, heard, main, say, seconds
from .workers_overhead import UPDATES, Trained, launched

COUNTS = (1, 2, 3, 4)
ROUNDS = 7
MORE_BYTES = 1.02
_INTERFACES = Path("/proc/net/dev")


def sent() -> int:
    """Return the bytes that the loopback interface has sent so far."""
    lines = _INTERFACES.read_text().splitlines() if _INTERFACES.exists() else []
    for line in lines:
        name, _, counts = line.partition(":")
        if name.strip() == "lo":
            return int(counts.split()[8])
    raise Unavailable("there is no loopback interface in /proc/net/dev")


def measure(name: str) -> None:
    """Say what an update of one net takes in this number of workers: seconds, and bytes."""
    trained = Trained(name)
    figures: Dict[str, float] = {"payload": _payload(trained) * UPDATES}
    for what, action in (("bare", trained.bare), ("fit", trained.fit)):
        action()
        pairs = [_measured(trained, action) for _ in range(ROUNDS)]
        names = (f"{what} seconds", f"{what} bytes")
        figures.update(zip(names, map(statistics.median, zip(*pairs))))
    if trained.workers.is_first:
        say([Row(what, figure=figure / UPDATES) for what, figure in figures.items()])


def _payload(trained: Trained) -> int:
    """Return the bytes of an update's gradients, from all workers and back to them."""
    parameters = trained.learner.net.collect_params().values()
    numbers = sum(math.prod(one.shape) for one in parameters if one.grad_req != "null")
    return 2 * 4 * numbers * trained.workers.count


def _measured(trained: Trained, action: Action) -> Any:
    trained.meet()
    before = sent()
    taken = seconds(action)
    trained.meet()
    return taken, sent() - before


def rows() -> Iterator[Row]:
    """Start one to four workers for each net in turn, and yield its rows."""
    for name in NETS:
        figures = {count: _figures(count, name) for count in COUNTS}
        one = figures[1]
        for count, each in figures.items():
            of_all = f"{name}, {count} workers" if count > 1 else f"{name}, 1 worker"
            for what in ("bare", "fit") if count > 1 else ():
                beside = f"one worker ({1e3 * one[f'{what} seconds']:.1f} ms an update)"
                growth = each[f"{what} seconds"] / one[f"{what} seconds"]
                yield Row(f"{of_all}: {what}, per update", beside, growth)
            ratio = each["fit seconds"] / each["bare seconds"]
            yield Row(f"{of_all}: fit, per update", "bare loop", ratio)
            bare = f"bare loop ({each['bare bytes'] / each['payload']:.3f} of gradients)"
            ratio = each["fit bytes"] / each["bare bytes"]
            yield Row(f"{of_all}: bytes of a fit", bare, ratio, MORE_BYTES)


def _figures(count: int, name: str) -> Dict[str, float]:
    return {row.what: row.figure or 0.0 for row in heard(launched(count, "workers_growth", name))}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        sys.exit(main("workers_growth", rows()))
