"""The trials of a tune in a file, from which another process can continue."""

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
    """A file with the start of a tune, its trials so far, and the state after the best trial.

    Parameters
    ----------
    path : str or path
        The path of the file, which need not exist yet.
    learner : Learner
        The learner to tune. It is set to the state at the start of the tune in the file.
    asked : dict
        The arguments of the tune: `length`, `policy` and `keep`.

    Attributes
    ----------
    trials : list of Trial
        The trials in the file.
    best : object
        The learner's state after the best full-length trial.

    Raises
    ------
    ValueError
        If the file exists, but is incomplete or of another tune.
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
            constraint = f"a file of a tune with {self._asked}"
            remedy = "Pass another path, or delete this file."
            message = _check.message("LRFinder.tune", "checkpoint", constraint, found, remedy)
            raise ValueError(message)
        learner.take_data(copy.deepcopy(data["start"]), str(path))
        self._start, self.best = data["start"], data["best"]
        self.trials = [Trial(**{**one, "losses": tuple(one["losses"])}) for one in data["trials"]]

    def write(self, trials: Sequence[Trial], best: Any) -> None:
        """Write the trials so far, atomically."""
        if self._is_first:
            written = [one._asdict() for one in trials]
            data = {**self._asked, "trials": written, "start": self._start, "best": best}
            save_data(self._path, data, _KIND)
