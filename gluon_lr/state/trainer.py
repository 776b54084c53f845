"""A trainer as data: its optimizer's state, and the values that the script has set."""

from collections import Counter
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Tuple

import numpy as np

from .. import _check, _trainer
from .._mxnet import (
    as_mx_nd,
    contexts_of,
    mx,
    named_parameters,
    number_without_gaps,
)
from . import schedulers, schema
from .net import few, unlike

_STATEMENT = "_gluon_lr_stated"  # the trainer's attribute with its Statement
# fields of an optimizer that MXNet sets, that are written elsewhere, or belong to groups
_NOT_WRITTEN = (
    "aggregate_num",
    "allow_np_array",
    "idx2name",
    "lr_mult",
    "lr_scheduler",
    "param_dict",
    "rescale_grad",
    "sym_info",
    "update_multi_precision",
    "wd_mult",
    "_all_index_update_counts",
    "_gluon_lr_shares",
    "_index_update_count",
)
# optimizers whose states have another layout in MXNet 2.0 than in 1.9; below, float16 only
_OTHERWISE = ("RMSProp",)
_OTHERWISE_IN_HALF = ("LARS", "NAG", "SGD")
_KINDS_OF_FIELDS = {
    "lr": schema.Maybe(schema.AT_LEAST_0),
    "wd": schema.AT_LEAST_0,
    "num_update": schema.COUNT,
    "begin_num_update": schema.COUNT,
    "clip_gradient": schema.Maybe(schema.NUMBER),
}

TRAINER = schema.Record(
    optimizer=schema.TEXT,
    fields=schema.ByName(schema.SCALAR),
    stated=schema.ByName(schema.SCALAR),
    scheduler=schema.Record(stated=schedulers.STATEMENT, now=schedulers.MEMORY),
    counts=schema.ByName(schema.COUNT),
    states=schema.Several(schema.ByName(schema.ANYTHING), at_least=1),
    names=schema.Several(schema.TEXT),
    loss_scaler=schema.ByName(schema.SCALAR),
    kvstore_made=schema.FLAG,
)


class Statement(NamedTuple):
    """The values that a script has set in a trainer.

    Attributes
    ----------
    words : dict
        The optimizer's numbers that are arguments of its class: rate, momentum and so on.
    scheduler : object
        The lr_scheduler itself.
    made_with : object
        The class and arguments of the lr_scheduler.
    plateaus : list
        The classes and arguments of the plateau schedules in it.
    """

    words: Dict[str, Any]
    scheduler: Any
    made_with: Any
    plateaus: List[Any]


def statement_of(trainer: mx.gluon.Trainer) -> Statement:
    """Return the script's values: those that the trainer had at the first call."""
    optimizer = trainer.optimizer
    statement = vars(trainer).get(_STATEMENT)
    if statement is None:
        names = schedulers.words_of(optimizer)
        words = {name: value for name, value in _fields(optimizer) if name in names}
        statement = Statement(words, None, None, [])
    if optimizer.lr_scheduler is not statement.scheduler:
        scheduler = optimizer.lr_scheduler
        made_with = schedulers.statement_of(scheduler)
        plateaus = schedulers.statements_of_plateaus(scheduler)
        statement = Statement(statement.words, scheduler, made_with, plateaus)
    setattr(trainer, _STATEMENT, statement)
    return statement


def names_of(net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> List[str]:
    """Return the names of the trainer's parameters in the net, the same in all processes."""
    number_without_gaps(trainer)
    names = {id(parameter): name for name, parameter in named_parameters(net).items()}
    found = [names.get(id(one), one.name) for one in _trainer.parameters_of(trainer)]
    counts = Counter(found)  # in MXNet 2.0, parameters outside the net may share a name
    return [f"{name} {i}" if counts[name] > 1 else name for i, name in enumerate(found)]


def data_of(trainer: mx.gluon.Trainer, names: List[str]) -> Dict[str, Any]:
    """Return a trainer as data."""
    optimizer = trainer.optimizer
    statement = statement_of(trainer)
    counts: Dict[str, int] = {}
    for of_device in optimizer._all_index_update_counts.values():
        for index, count in of_device.items():
            counts[names[index]] = max(count, counts.get(names[index], 0))
    states = [
        {
            names[index]: _state_data(state)
            for index, state in updater.states.items()
            if state is not None
        }
        for updater in _trainer.updaters_of(trainer)
    ]
    return {
        "optimizer": type(optimizer).__name__,
        "fields": dict(_fields(optimizer)),
        "stated": statement.words,
        "scheduler": {
            "stated": statement.made_with,
            "now": schedulers.memory_of(optimizer.lr_scheduler, statement.plateaus),
        },
        "counts": counts,
        "states": states,
        "names": names,
        "loss_scaler": schedulers.numbers_of(_trainer.loss_scaler_of(trainer)),
        "kvstore_made": trainer._kv_initialized,
    }


class Return:
    """The restoring of a trainer: checks the data when created, and :meth:`apply` restores it.

    Parameters
    ----------
    data : dict
        The data of a file: the version of MXNet that wrote it, and the result of :func:`data_of`.
    trainer : mx.gluon.Trainer
        A trainer of the same parameters.
    names : list of str
        The names of its parameters, from :func:`names_of`.
    weights : dict
        Arrays with the shapes and types that its parameters will have, by name, without
        parameters of unknown shape.

    Attributes
    ----------
    differences : list of str
        What this script sets differently from the script that wrote the data.

    Raises
    ------
    ValueError
        If it is not such data, or is for another trainer.
    """

    def __init__(
        self,
        data: Dict[str, Any],
        trainer: mx.gluon.Trainer,
        names: List[str],
        weights: Dict[str, Any],
    ) -> None:
        version, data = data["mxnet"], data["trainer"]
        optimizer = trainer.optimizer
        if data["optimizer"] != type(optimizer).__name__:
            constraint = f"a file of a trainer with {type(optimizer).__name__}"
            raise ValueError(_check.message("load", "path", constraint, data["optimizer"]))
        _check_version(version, optimizer, weights.values())
        if sorted(data["names"]) != sorted(names):
            constraint = f"a file of a trainer with the parameters {few(sorted(names))}"
            found = unlike(names, data["names"])
            raise ValueError(_check.message("load", "path", constraint, found))
        self._data = data
        self._trainer = trainer
        self._names = names
        self._statement = statement_of(trainer)
        self._fields, changed = self._remembered_fields()
        self._scaler_fields = self._loss_scaler_fields()
        self._patterns = self._patterns_of_states(weights)
        scheduler = data["scheduler"]
        schedulers.check(scheduler["stated"], scheduler["now"], "trainer.scheduler")
        self._same_scheduler = schedulers.same(self._statement.made_with, scheduler["stated"])
        if self._same_scheduler:
            now = scheduler["now"]
            schedulers.check_memory(self._statement.scheduler, now, "trainer.scheduler.now")
        else:
            own, saved = (
                schedulers.describe(one) for one in (self._statement.made_with, scheduler["stated"])
            )
            changed.append(f"lr_scheduler is {own}, not {saved}")
        self.differences = changed

    def apply(self) -> None:
        """Restore the trainer, whose parameters must have their arrays."""
        trainer, data, optimizer = self._trainer, self._data, self._trainer.optimizer
        places = _trainer.updaters_of(trainer)
        saved = data["states"] if len(data["states"]) == len(places) else data["states"][:1]
        for number, updater in enumerate(places):
            states = saved[number % len(saved)]
            updater.states = {
                index: _state(states[name], self._patterns.get(name))
                for index, name in enumerate(self._names)
                if name in states
            }
            updater.states_synced = dict.fromkeys(updater.states, False)  # MXNet moves them
        vars(optimizer).update(self._fields)
        counts = {
            index: data["counts"][name]
            for index, name in enumerate(self._names)
            if name in data["counts"]
        }
        devices = {0, *optimizer._all_index_update_counts}
        parameters = _trainer.parameters_of(trainer)
        devices.update(place.device_id for one in parameters for place in contexts_of(one))
        optimizer._all_index_update_counts = {device: dict(counts) for device in devices}
        optimizer._index_update_count = optimizer._all_index_update_counts[0]
        scheduler, memory = self._statement.scheduler, data["scheduler"]["now"]
        if self._same_scheduler:
            schedulers.remember(scheduler, memory)
        else:
            schedulers.remember_plateaus(scheduler, self._statement.plateaus, memory)
        if self._scaler_fields:
            vars(_trainer.loss_scaler_of(trainer)).update(self._scaler_fields)

    def _remembered_fields(self) -> Tuple[Dict[str, Any], List[str]]:
        """Return the optimizer's fields to restore, and what this script sets differently."""
        own, words = dict(_fields(self._trainer.optimizer)), self._statement.words
        fields, changed = {}, []
        for name, value in self._data["fields"].items():
            if name not in own:
                continue
            _check_field(name, value, own[name], f"trainer.fields[{name!r}]")
            stated = self._data["stated"].get(name)
            if name not in words or schedulers.same(words[name], stated):
                fields[name] = value
            elif name != "lr":
                changed.append(f"{name} is {words[name]!r}, not {stated!r}")
            elif None not in (words[name], stated):  # None: an lr_scheduler sets the rate
                changed.append(f"learning_rate is {words[name]!r}, not {stated!r}")
        return fields, changed

    def _loss_scaler_fields(self) -> Dict[str, Any]:
        own = schedulers.numbers_of(_trainer.loss_scaler_of(self._trainer))
        fields = {name: one for name, one in self._data["loss_scaler"].items() if name in own}
        for name, value in fields.items():
            _check_field(name, value, own[name], f"trainer.loss_scaler[{name!r}]")
        return fields

    def _patterns_of_states(self, weights: Dict[str, Any]) -> Dict[str, Any]:
        """Return states as the optimizer makes them, by name; raise if the data does not fit."""
        patterns: Dict[str, Any] = {}
        for number, states in enumerate(self._data["states"]):
            for name, state in states.items():
                place = f"trainer.states[{number}][{name!r}]"
                if name not in self._names:
                    raise schema.astray(
                        place, "omitted: the trainer has no such parameter", "a state"
                    )
                if name not in weights:
                    _check_kinds(state, place)
                    continue
                if name not in patterns:
                    patterns[name] = self._pattern(self._names.index(name), weights[name])
                _check_state(state, patterns[name], weights[name], place)
        return patterns

    def _pattern(self, index: int, weight: Any) -> Any:
        """Return the state of a parameter, or a new one as the optimizer makes it."""
        present = _trainer.updaters_of(self._trainer)[0].states.get(index)
        if present is not None:
            return present
        return self._trainer.optimizer.create_state_multi_precision(index, as_mx_nd(weight))


def _check_version(version: str, optimizer: Any, weights: Iterable[Any]) -> None:
    """Raise a ValueError if another MXNet has written states that this one would misread."""
    if version.split(".")[0] == mx.__version__.split(".")[0]:
        return
    name = type(optimizer).__name__
    in_half = optimizer.multi_precision and any(one.dtype == np.float16 for one in weights)
    if name in _OTHERWISE or (in_half and name in _OTHERWISE_IN_HALF):
        constraint = f"a file of MXNet {mx.__version__.split('.')[0]} if the optimizer is {name}"
        remedy = (
            "Save only the weights, with save_params, and continue from them: MXNet 1 and 2 store "
            "the states of this optimizer differently."
        )
        raise ValueError(_check.message("load", "path", constraint, f"MXNet {version}", remedy))


def _fields(optimizer: mx.optimizer.Optimizer) -> Iterator[Tuple[str, Any]]:
    for name, value in vars(optimizer).items():
        if name in _NOT_WRITTEN:
            continue
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, (bool, int, float, str, type(None))):
            yield name, value
        elif not isinstance(value, (dict, list, tuple)) or value:
            raise _not_a_number(optimizer, name, value)


def _not_a_number(optimizer: mx.optimizer.Optimizer, name: str, value: Any) -> ValueError:
    constraint = "one that stores only numbers, besides its states"
    found = f"{type(optimizer).__name__} with {name!r}, {type(value).__name__}"
    remedy = ""
    if name == "lr":
        remedy = (
            "Create the optimizer with lr_scheduler=schedule, or set its rate in each iteration: "
            "trainer.set_learning_rate(schedule(iteration))."
        )
    return ValueError(_check.message("Trainer", "optimizer", constraint, found, remedy))


def _check_field(name: str, value: Any, own: Any, place: str) -> None:
    """Raise a ValueError if `value` cannot replace `own`."""
    if name in _KINDS_OF_FIELDS:
        kind = _KINDS_OF_FIELDS[name]
    elif isinstance(own, (bool, str)):
        kind = schema.FLAG if isinstance(own, bool) else schema.TEXT
    else:
        kind = schema.Maybe(schema.NUMBER) if own is None else schema.NUMBER
    kind.check(value, place)


def _state_data(state: Any) -> Any:
    if isinstance(state, (tuple, list)):
        return [_state_data(one) for one in state]
    return None if state is None else state.asnumpy()


def _state(data: Any, pattern: Any) -> Any:
    """Return a state as the optimizer makes it, with the saved values."""
    if isinstance(data, list):
        return tuple(_state(*pair) for pair in zip(data, pattern or [None] * len(data)))
    if data is None:
        return None if pattern is None else pattern.zeros_like()
    array = mx.nd.array(data, dtype=data.dtype)
    by_rows = pattern is not None and pattern.stype != "default"
    return array.tostype(pattern.stype) if by_rows else array


def _check_state(data: Any, pattern: Any, weight: Any, place: str) -> None:
    """Raise a ValueError if saved values do not fit a state that the optimizer makes.

    One of the two may be None, if only one of the two optimizers has momentum.
    """
    if isinstance(pattern, (tuple, list)):
        schema.Several(schema.ANYTHING, at_least=len(pattern)).check(data, place)
        for number, pair in enumerate(zip(data, pattern)):
            _check_state(*pair, weight, f"{place}[{number}]")
        if len(data) != len(pattern):
            raise schema.astray(place, f"a list of {len(pattern)}", f"{len(data)}")
    elif pattern is None:
        schema.Maybe(schema.arrays_of(weight.shape, np.float32)).check(data, place)
    else:
        schema.Maybe(schema.arrays_of(pattern.shape, pattern.dtype)).check(data, place)


def _check_kinds(data: Any, place: str) -> None:
    if isinstance(data, list):
        for number, one in enumerate(data):
            _check_kinds(one, f"{place}[{number}]")
    else:
        schema.Maybe(schema.ARRAY).check(data, place)
