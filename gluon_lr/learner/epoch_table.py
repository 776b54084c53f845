"""What epochs have come to, as the texts of a table, and as CSV."""

import csv
from typing import Any, List, Mapping, Sequence, Union

_WIDTHS = {"fit": 3, "epoch": 5, "time": 5}
_WIDTH = 10  # of the others, so that 80 columns hold four of them


def cell(name: str, value: Union[int, float, None]) -> str:
    """Return what a table shows of a value of an epoch; nothing where there is none."""
    if value is None:
        return ""
    if name == "time":
        return f"{int(value) // 60:02d}:{int(value) % 60:02d}"
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def line(cells: Mapping[str, str]) -> str:
    """Return a line of a table, of texts by the names of their columns."""
    return "  ".join(
        text.rjust(max(_WIDTHS.get(name, _WIDTH), len(name))) for name, text in cells.items()
    )


def names_of(epochs: Sequence[Mapping[str, Any]]) -> List[str]:
    """Return the names of the values that one epoch or another has, in their order."""
    return list(dict.fromkeys(name for epoch in epochs for name in epoch))


def write_csv(file: Any, epochs: Sequence[Mapping[str, Any]]) -> None:
    """Write a line an epoch to an open file, below the names."""
    writer = csv.DictWriter(file, names_of(epochs), lineterminator="\n")
    writer.writeheader()
    writer.writerows(epochs)
