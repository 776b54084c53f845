"""What epochs have come to, as the texts of a table."""

from typing import Mapping, Union

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
