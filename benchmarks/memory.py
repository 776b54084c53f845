"""What has been trained and searched already, in a file: a later run computes what is missing."""

import gzip
import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

Losses = Dict[str, Optional[float]]  # by rate; None where it diverged


class Memory:
    """Losses and answers by their keys, kept in one file.

    Several processes share the work by writing to a part each, `NAME.PART.json.gz` beside
    `NAME.json.gz`. All read what all have written before. Without a part, `save` gathers what
    the parts have and removes them.

    Parameters
    ----------
    path : Path, optional
        The file; without one, nothing is read or written.
    part : str
        The name of this process's part.
    """

    def __init__(self, path: Optional[Path] = None, part: str = "") -> None:
        self._path, self._part = path, part
        self.losses: Dict[str, Losses] = {}
        self.answers: Dict[str, List[Optional[float]]] = {}
        self.paces: Dict[str, float] = {}
        for file in self._files():
            self._add(read(file))

    def _files(self) -> Iterator[Path]:
        if self._path is not None:
            stem = self._path.name[: -len(".json.gz")]
            yield from sorted(self._path.parent.glob(f"{stem}*.json.gz"))

    def _add(self, document: Dict[str, Dict[str, Any]]) -> None:
        for key, losses in document["losses"].items():
            self.losses.setdefault(key, {}).update(losses)
        self.answers.update(document["answers"])
        self.paces.update(document["paces"])

    def save(self) -> None:
        """Write all that is known to the file or to this process's part of it."""
        if self._path is None:
            return
        parts = []
        target = self._path
        if self._part:
            target = target.with_name(target.name.replace(".json", f".{self._part}.json"))
        else:
            parts = [file for file in self._files() if file != target]
            for file in parts:
                self._add(read(file))
        write(target, {"losses": self.losses, "answers": self.answers, "paces": self.paces})
        for file in parts:
            with suppress(FileNotFoundError):
                file.unlink()


def read(path: Path) -> Dict[str, Dict[str, Any]]:
    """Read a file."""
    return json.loads(gzip.decompress(path.read_bytes()))


def write(path: Path, document: Dict[str, Dict[str, Any]]) -> None:
    """Replace a file as a whole, the same bytes for the same content."""
    text = json.dumps(document, sort_keys=True, indent=0)
    fresh = path.with_name(path.name + ".fresh")
    fresh.write_bytes(gzip.compress(text.encode(), mtime=0))
    fresh.replace(path)


def name_of(lr: float) -> str:
    """Return the key of a rate: four digits."""
    return f"{lr:.4g}"


def shortened(loss: float) -> Optional[float]:
    """Return what is kept of a loss: six digits, None for an infinite one."""
    return float(f"{loss:.6g}") if math.isfinite(loss) else None
