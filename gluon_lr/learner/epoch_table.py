"""The values of epochs, as text cells of a table and as CSV."""

import csv
from typing import Any, List, Mapping, Sequence, Union

_WIDTHS = {"fit": 3, "epoch": 5, "time": 5}
_WIDTH = 10  # of other columns; four of them fit in 80 characters


def cell(name: str, value: Union[int, float, None]) -> str:
    """Return a value of an epoch as text for a table; empty for None."""
    if value is None:
        return ""
    if name == "time":
        return f"{int(value) // 60:02d}:{int(value) % 60:02d}"
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def line(cells: Mapping[str, str]) -> str:
    """Return a line of a table, from cells by column name."""
    return "  ".join(
        text.rjust(max(_WIDTHS.get(name, _WIDTH), len(name))) for name, text in cells.items()
    )


def names_of(epochs: Sequence[Mapping[str, Any]]) -> List[str]:
    """Return the names of all values that any epoch has, in order."""
    return list(dict.fromkeys(name for epoch in epochs for name in epoch))


def write_csv(file: Any, epochs: Sequence[Mapping[str, Any]]) -> None:
    """Write a header with the names, and one line per epoch, to an open file."""
    writer = csv.DictWriter(file, names_of(epochs), lineterminator="\n")
    writer.writeheader()
    writer.writerows(epochs)
