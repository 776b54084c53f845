"""What has been trained and searched already, in a file: a later run computes what is missing."""

import gzip
import json
import math
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from .measure import Unavailable

OFTEN = 20  # seconds from writing to writing
Losses = Dict[str, Optional[float]]  # by rate; None where it diverged


class Memory:
    """Losses and answers by their keys, kept in one file.

    It is written now and then while something is added. Several processes share the work by
    writing to a part each, `NAME.PART.json.gz` beside `NAME.json.gz`. All read what all have
    written before. Without a part, `save` gathers what the parts have and removes them.

    Parameters
    ----------
    path : Path, optional
        The file; without one, nothing is read or written.
    part : str
        The name of this process's part.
    is_complete : bool
        Whether nothing may be missing.

    Attributes
    ----------
    losses : dict
        Of each key the losses by rate.
    answers : dict
        Of each key a rate, the updates it took and the seconds.
    seconds : dict
        How long a training takes, by length and task.
    """

    def __init__(
        self, path: Optional[Path] = None, part: str = "", is_complete: bool = False
    ) -> None:
        self._path, self._part, self._is_complete = path, part, is_complete
        self.losses: Dict[str, Losses] = {}
        self.answers: Dict[str, List[Any]] = {}
        self.seconds: Dict[str, float] = {}
        self._saved = time.monotonic()
        for file in self._files():
            self._add(read(file))

    def before_adding(self, key: str) -> None:
        """Write what was added before, now and then.

        Raises
        ------
        Unavailable
            Where nothing may be missing.
        """
        if self._is_complete:
            raise Unavailable(f"{key} is missing; python -m benchmarks.leaderboard computes it")
        if time.monotonic() > self._saved + OFTEN:
            self.save()

    def _files(self) -> Iterator[Path]:
        if self._path is not None:
            stem = self._path.name[: -len(".json.gz")]
            yield from sorted(self._path.parent.glob(f"{stem}*.json.gz"))

    def _add(self, document: Dict[str, Dict[str, Any]]) -> None:
        for key, losses in document["losses"].items():
            self.losses.setdefault(key, {}).update(losses)
        self.answers.update(document["answers"])
        self.seconds.update(document["seconds"])

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
        write(target, {"losses": self.losses, "answers": self.answers, "seconds": self.seconds})
        for file in parts:
            with suppress(FileNotFoundError):
                file.unlink()
        self._saved = time.monotonic()


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
