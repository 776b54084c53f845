"""A Learner's state, except its net and trainer, as data: fits, recorder, place in the data."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

from .. import _check
from .._mxnet import mx
from ..data.batches import Batches
from ..data.place import LoaderMemory, Place, Remembered
from ..hyper.groups import Freezer
from ..hyper.parameters import HyperParameters
from ..hyper.scheduling import ParamScheduler
from ..state import schema
from ..state.checkpoint import Reading
from ..training.hidden_state import HiddenState, Saved
from ..training.losses import PendingUpdate
from .fit import Fit
from .recorder import Recorder

Names = List[List[str]]

_GROUPS = schema.Maybe(schema.Several(schema.Several(schema.TEXT)))
_RUN = schema.Record(
    fits=schema.Several(schema.ANYTHING),
    groups=_GROUPS,
    frozen_to=schema.COUNT,
    recorder=schema.ANYTHING,
    place=schema.ANYTHING,
    valid=schema.ANYTHING,
    update=schema.ANYTHING,
    hidden=schema.ANYTHING,
    also=schema.Several(schema.ANYTHING),
)


def data_of(
    fits: Sequence[Fit],
    groups: Names,
    freezer: Freezer,
    recorder: Recorder,
    batches: Batches,
    valid: LoaderMemory,
    update: PendingUpdate,
    hidden: HiddenState,
) -> Dict[str, Any]:
    """Return a Learner's state as data; `groups` are the names of its groups' parameters."""
    return {
        "fits": [fit.as_data() for fit in fits],
        "groups": groups,
        "frozen_to": freezer.frozen_to,
        "recorder": recorder.as_data(),
        "place": batches.place().as_data(),
        "valid": valid.now().as_data(),
        "update": update.as_data(),
        "hidden": hidden.now().as_data(),
    }


class Run:
    """The data that :func:`data_of` returned, read and checked.

    Parameters
    ----------
    data : object
        What :func:`data_of` returned.
    path : str or path
        The file it was in.
    hypers : HyperParameters
        The trainer's hyper-parameters, by the Learner's groups.
    groups, batches, valid, hidden
        As in :func:`data_of`.
    also : sequence of (mx.gluon.Block, mx.gluon.Trainer)
        The other nets that the Learner's steps train.

    Attributes
    ----------
    fits, frozen_to, recorder, place, update, hidden
        The saved state for the Learner.
    valid : Remembered
        The saved state of the validation loader.
    also : list of Reading
        The saved state of each pair in `also`.
    differences : list of str
        What this script sets differently from the script that wrote the data.

    Raises
    ------
    ValueError
        If it is not such data, or is for another Learner.
    """

    def __init__(
        self,
        data: Any,
        path: Any,
        hypers: HyperParameters,
        groups: Names,
        batches: Batches,
        valid: LoaderMemory,
        hidden: HiddenState,
        also: Sequence[Tuple[mx.gluon.Block, mx.gluon.Trainer]],
    ) -> None:
        saved = data.get("groups") if isinstance(data, dict) else None
        _GROUPS.check(saved, "more.groups")
        if saved != groups:
            constraint = f"a file of Learner.save for these parameter groups, {_shown(groups)}"
            value = f"{path}, for {_shown(saved)}"
            raise ValueError(_check.message("load", "path", constraint, value))
        _RUN.check(data, "more")
        if data["frozen_to"] >= len(groups):
            raise schema.astray("more.frozen_to", f"below {len(groups)}", data["frozen_to"])
        self.frozen_to = data["frozen_to"]
        self.fits = [
            self._fit(fit, hypers, f"more.fits[{number}]")
            for number, fit in enumerate(data["fits"])
        ]
        self.recorder = Recorder(hypers.trainer, hypers.groups)
        self.recorder.take_data(data["recorder"], "more.recorder")
        self.place = Place.from_data(data["place"], "more.place")
        self.valid = Remembered.from_data(data["valid"], "more.valid")
        self.update = PendingUpdate.from_data(data["update"], "more.update")
        self.hidden = Saved.from_data(data["hidden"], "more.hidden")
        try:
            astray = [f"data_loader{path}" for path in batches.check_place(self.place)]
            astray += [f"valid_loader{path}" for path in valid.check(self.valid)]
            astray += [f"the hidden state{path}" for path in hidden.check(self.hidden)]
        except ValueError as error:
            raise schema.astray(
                "more", "for the data loaders and the net of this script", error
            ) from None
        self.differences = astray
        if len(data["also"]) != len(also):
            raise schema.astray("more.also", f"as long as `also`, {len(also)}", len(data["also"]))
        self.also = [
            Reading(one, *pair, place=f"more.also[{number}]")
            for number, (one, pair) in enumerate(zip(data["also"], also))
        ]
        self.differences += [text for one in self.also for text in one.differences]

    def _fit(self, data: Any, hypers: HyperParameters, place: str) -> Fit:
        fit = Fit.from_data(data, place)
        if fit.frozen_to is not None and fit.frozen_to >= len(hypers.groups):
            raise schema.astray(f"{place}.frozen_to", f"below {len(hypers.groups)}", fit.frozen_to)
        try:
            ParamScheduler(fit.curves).check(hypers)
        except (TypeError, ValueError) as error:
            raise schema.astray(
                f"{place}.scheds", "for the hyper-parameters of this trainer", error
            ) from None
        return fit


def _shown(groups: Optional[Names]) -> str:
    return "none" if groups is None else " | ".join(map(", ".join, groups))[:300]
