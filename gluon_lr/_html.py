"""HTML tables that a notebook shows for results."""

import html
from typing import Iterable, Sequence


def table(title: str, rows: Sequence[Iterable[str]]) -> str:
    """Return a title and a table of texts; the first row is the header."""
    lines = (_line("td" if number else "th", row) for number, row in enumerate(rows))
    return f"<p>{_text(title)}</p><table>{''.join(lines)}</table>"


def _line(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{_text(cell)}</{tag}>" for cell in cells) + "</tr>"


def _text(text: str) -> str:
    return html.escape(text, quote=False)
