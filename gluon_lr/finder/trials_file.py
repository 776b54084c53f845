"""The trials of a tune in a file, for the next process to go on with."""

import copy
import os
from typing import Any, List, Mapping, Sequence

from .. import _check
from ..state import schema
from ..state.files import PathLike
from ..state.tensors import load_data, save_data
from .tune_result import Trial

_KIND = "tune"
_TRIAL = schema.Record(
    rate=schema.NUMBER,
    length=schema.POSITIVE,
    loss=schema.FLOAT,
    seconds=schema.NUMBER,
    losses=schema.Several(schema.FLOAT),
)
_TUNE = schema.Record(
    length=schema.POSITIVE,
    policy=schema.TEXT,
    keep=schema.FLAG,
    trials=schema.Several(_TRIAL),
    start=schema.ANYTHING,
    best=schema.ANYTHING,
)


class TrialsFile:
    """A file with the start of a tune, its trials so far, and the best one's end.

    Parameters
    ----------
    path : str or path
        Where it is, or is to be.
    learner : Learner
        What is tuned. It is put to where the tune in the file began.
    asked : dict
        What the trials are of: its `length`, `policy` and `keep`.

    Attributes
    ----------
    trials : list of Trial
        Those in the file.
    best : object
        What the learner was after the best of the whole length.

    Raises
    ------
    ValueError
        Where there is a file that is not whole, or of another tune.
    """

    def __init__(self, path: PathLike, learner: Any, asked: Mapping[str, Any]) -> None:
        self._path = path
        self._asked = dict(asked)
        self._is_first = learner.workers.is_first
        self.trials: List[Trial] = []
        self.best: Any = None
        if not os.path.exists(path):
            self._start = learner.as_data()
            return
        data = load_data(path, _KIND)
        _TUNE.check(data, "")
        found = {name: data[name] for name in self._asked}
        if found != self._asked:
            constraint = f"a file of a tune of {self._asked}"
            remedy = "Name another file, or remove this one."
            message = _check.message("LRFinder.tune", "checkpoint", constraint, found, remedy)
            raise ValueError(message)
        learner.take_data(copy.deepcopy(data["start"]), str(path))
        self._start, self.best = data["start"], data["best"]
        self.trials = [Trial(**{**one, "losses": tuple(one["losses"])}) for one in data["trials"]]

    def write(self, trials: Sequence[Trial], best: Any) -> None:
        """Write the trials that there are now, whole or not at all."""
        if self._is_first:
            written = [one._asdict() for one in trials]
            data = {**self._asked, "trials": written, "start": self._start, "best": best}
            save_data(self._path, data, _KIND)
