"""The state of a net and its trainer in a file: written at once or not at all, read safely.

A file is a line that names the format, the length of a JSON text, that text, arrays in NumPy's
format, and the SHA-256 digest of all before it. Nothing in it is pickled.
"""

import hashlib
import io
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, Union

import numpy as np

from .. import _check, _trainer
from .._mxnet import contexts_of, mx, named_parameters, nd, number_without_gaps
from ..distributed.workers import Workers
from ..schedules.base import Schedule

PathLike = Union[str, "os.PathLike[str]"]

_MAGIC = b"gluon_lr checkpoint 1\n"
_LENGTH = 8  # bytes that hold the length of the JSON text
_DIGEST = hashlib.sha256().digest_size
_NUMBERS = (bool, int, float, str, type(None))
# fields of an optimizer that are made anew with it, written in another way, or belong to groups
_NOT_WRITTEN = (
    "lr_scheduler",
    "param_dict",
    "idx2name",
    "sym_info",
    "lr_mult",
    "wd_mult",
    "_all_index_update_counts",
    "_index_update_count",
    "_gluon_lr_shares",
    "update_multi_precision",
)


def save_checkpoint(
    path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer, more: Any = None
) -> None:
    """Write net and trainer to a file, which is then whole: the new one, or else still the old.

    That is: parameters and running statistics, on each context where they differ; the optimizer's
    states, counts and numbers; what its lr_scheduler remembers; the scale of a mixed-precision
    loss. It can be read on other contexts. Of several workers the first alone writes.

    Parameters
    ----------
    path : str or path
        The file. While it is written, there is another with the ending '.partial' beside it.
    net : mx.gluon.Block
        Initialised.
    trainer : mx.gluon.Trainer
        The trainer of its parameters.
    more : optional
        What else to write: what `json` can, and NumPy arrays.

    Raises
    ------
    ValueError
        Where the optimizer remembers more than numbers and its states, and where the servers of
        a distributed KVStore have them.
    OSError
        Where the file cannot be written.

    >>> import tempfile
    >>> import mxnet as mx
    >>> net = mx.gluon.nn.Dense(1, in_units=1)
    >>> net.initialize()
    >>> trainer = mx.gluon.Trainer(net.collect_params(), "adam")
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = directory + "/run.checkpoint"
    ...     save_checkpoint(path, net, trainer, more={"epoch": 3})
    ...     load_checkpoint(path, net, trainer)
    {'epoch': 3}
    """
    _trainer.check_updates_here("save_checkpoint", trainer)
    if not Workers.of(trainer).is_first:
        return
    names = _names(net, trainer)
    data = {
        "parameters": _parameters_data(net),
        "trainer": _trainer_data(trainer, names),
        "more": more,
    }
    _write(path, data)


def load_checkpoint(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> Any:
    """Read a file into a net and its trainer, all of it or, after an error, nothing.

    The arrays, the optimizer and its scheduler stay the same objects. The contexts may be others,
    in kind, number and device ids.

    Parameters
    ----------
    path : str or path
        A file of :func:`save_checkpoint`.
    net : mx.gluon.Block
        Like the one that was saved; it may wait for its shapes.
    trainer : mx.gluon.Trainer
        The trainer of its parameters, with an optimizer of the same class.

    Returns
    -------
    object
        What was given as `more`.

    Raises
    ------
    ValueError
        Where the file is not whole, or of another net or optimizer.
    OSError
        Where there is no such file.
    """
    return apply_checkpoint(read_checkpoint(path), net, trainer)


def read_checkpoint(path: PathLike) -> Dict[str, Any]:
    """Read a file of :func:`save_checkpoint`, and check that it is one and whole."""
    data = _read(path)
    if "parameters" not in data:
        constraint = "a checkpoint of net and trainer"
        remedy = "This one has the trainer's states alone: load_states reads it."
        raise ValueError(_check.message("load", "path", constraint, str(path), remedy))
    return data


def apply_checkpoint(data: Dict[str, Any], net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> Any:
    """Put what :func:`read_checkpoint` returned into net and trainer; return `more`."""
    names = _names(net, trainer)
    _check_parameters(data["parameters"], net)
    _check_trainer(data["trainer"], trainer, names)
    _finish_shapes(data["parameters"], net)
    if not _trainer.is_distributed(trainer):
        if data["trainer"]["kvstore_made"]:
            _trainer.prepare(trainer)
        else:
            trainer._reset_kvstore()
    _apply_parameters(data["parameters"], net, trainer)
    _apply_trainer(data["trainer"], trainer, names)
    return data["more"]


def save_states(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> None:
    """Write the trainer alone to a file, as :func:`save_checkpoint` does."""
    _trainer.check_updates_here("save_states", trainer)
    if not Workers.of(trainer).is_first:
        return
    _write(path, {"trainer": _trainer_data(trainer, _names(net, trainer))})


def load_states(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> None:
    """Read what :func:`save_states` or :func:`save_checkpoint` wrote into the trainer alone.

    Raises
    ------
    ValueError
        Where the file is not whole, or of another optimizer.
    """
    names = _names(net, trainer)
    data = _read(path)["trainer"]
    _check_trainer(data, trainer, names)
    if data["kvstore_made"] and not _trainer.is_distributed(trainer):
        _trainer.prepare(trainer)
    _apply_trainer(data, trainer, names)


def save_params(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> None:
    """Write the parameters to a file as ``net.save_parameters`` does, at once or not at all."""
    if not Workers.of(trainer).is_first:
        return
    _replace(path, lambda partial: net.save_parameters(str(partial)))


def load_params(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> None:
    """Read a file of ``net.save_parameters``; unlike with MXNet's own, momentum is not lost.

    Raises
    ------
    ValueError
        Where the file is of another net.
    """
    loaded = mx.nd.load(os.fspath(path))
    constraint = "a file of parameters by name"
    if not isinstance(loaded, dict):
        raise ValueError(_check.message("load_params", "path", constraint, str(path)))
    data = {
        name: {"values": [array.asnumpy()], "stype": array.stype} for name, array in loaded.items()
    }
    _check_parameters(data, net)
    _finish_shapes(data, net)
    _apply_parameters(data, net, trainer)


# -- the net -----------------------------------------------------------------------------------


def _parameters_data(net: mx.gluon.Block) -> Dict[str, Any]:
    return {
        name: _values_data(parameter._data) for name, parameter in named_parameters(net).items()
    }


def _values_data(arrays: Optional[List[mx.nd.NDArray]]) -> Optional[Dict[str, Any]]:
    """Return the values on each context, or those on the first where all are the same."""
    if arrays is None:
        return None
    values = [array.asnumpy() for array in arrays]
    same = all(one.tobytes() == values[0].tobytes() for one in values[1:])
    return {"values": values[:1] if same else values, "stype": arrays[0].stype}


def _check_parameters(data: Dict[str, Any], net: mx.gluon.Block) -> None:
    own = named_parameters(net)
    if own.keys() != data.keys():
        missing, unknown = sorted(own.keys() - data.keys()), sorted(data.keys() - own.keys())
        found = f"one without {_few(missing)} and with {_few(unknown)}"
        raise ValueError(_check.message("load", "path", "a file of this net", found))
    for name, parameter in own.items():
        saved = data[name] and data[name]["values"][0]
        if saved is None:
            continue
        shape = parameter.shape or saved.shape
        fits = len(shape) == saved.ndim and all(
            size in (0, -1, wanted) for size, wanted in zip(shape, saved.shape)
        )
        if not fits or np.dtype(parameter.dtype) != saved.dtype:
            constraint = f"a file in which {name} is {np.dtype(parameter.dtype)} of shape {shape}"
            found = f"{saved.dtype} of shape {saved.shape}"
            raise ValueError(_check.message("load", "path", constraint, found))


def _finish_shapes(data: Dict[str, Any], net: mx.gluon.Block) -> None:
    """Give arrays to the parameters that wait for their shapes."""
    for name, parameter in named_parameters(net).items():
        if parameter._data is None and data[name] is not None:
            values = data[name]["values"][0]
            parameter.shape = values.shape
            parameter.set_data(nd.array(values, dtype=values.dtype))
            parameter._finish_deferred_init()


def _apply_parameters(data: Dict[str, Any], net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> None:
    for name, parameter in named_parameters(net).items():
        if data[name] is None:
            continue
        for array, values in zip(parameter._data, _for_each(parameter._data, data[name]["values"])):
            _array(values, array.stype, nd).copyto(array)
    store = _trainer.store_of(trainer)
    if store is not None:
        _trainer.write_to_store(
            store,
            [(i, one._data[0]) for i, one in enumerate(_trainer.parameters_of(trainer))],
            store._updater,
        )


def _for_each(places: List[Any], saved: List[Any]) -> List[Any]:
    """Return the saved values for each context: its own, or on another number their mean."""
    if len(saved) == len(places):
        return saved
    mean = np.mean(saved, axis=0).astype(saved[0].dtype)
    return [mean] * len(places)


# -- the trainer -------------------------------------------------------------------------------


def _names(net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> List[str]:
    """Return the names of the trainer's parameters in the net, which another process has too."""
    number_without_gaps(trainer)
    names = {id(parameter): name for name, parameter in named_parameters(net).items()}
    found = [names.get(id(one), one.name) for one in _trainer.parameters_of(trainer)]
    counts = Counter(found)  # two that are not the net's have one name in MXNet 2.0
    return [f"{name} {i}" if counts[name] > 1 else name for i, name in enumerate(found)]


def _trainer_data(trainer: mx.gluon.Trainer, names: List[str]) -> Dict[str, Any]:
    optimizer = trainer.optimizer
    counts: Dict[str, int] = {}
    for of_device in optimizer._all_index_update_counts.values():
        for index, count in of_device.items():
            counts[names[index]] = max(count, counts.get(names[index], 0))
    states = [
        {names[index]: _state_data(state) for index, state in updater.states.items()}
        for updater in _trainer.updaters_of(trainer)
    ]
    return {
        "optimizer": type(optimizer).__name__,
        "fields": dict(_fields(optimizer)),
        "scheduler": _scheduler_data(optimizer.lr_scheduler),
        "counts": counts,
        "states": states,
        "names": names,
        "loss_scaler": _numbers(_trainer.loss_scaler_of(trainer)),
        "kvstore_made": trainer._kv_initialized,
    }


def _fields(optimizer: mx.optimizer.Optimizer) -> Iterator[Tuple[str, Any]]:
    for name, value in vars(optimizer).items():
        if isinstance(value, np.generic):
            value = value.item()
        empty = isinstance(value, (dict, list, tuple)) and not value
        if isinstance(value, _NUMBERS):
            yield name, value
        elif name not in _NOT_WRITTEN and not empty:
            constraint = "one that remembers numbers alone, beside its states"
            found = f"{type(optimizer).__name__} with {name!r}, {type(value).__name__}"
            raise ValueError(_check.message("save", "trainer", constraint, found))


def _state_data(state: Any) -> Any:
    if isinstance(state, mx.nd.NDArray):
        return {"values": state.asnumpy(), "stype": state.stype}
    if isinstance(state, (tuple, list)):
        return [_state_data(one) for one in state]
    return None


def _state(data: Any) -> Any:
    if isinstance(data, dict):
        return _array(data["values"], data["stype"])
    return data and tuple(_state(one) for one in data)


def _check_trainer(data: Dict[str, Any], trainer: mx.gluon.Trainer, names: List[str]) -> None:
    own = type(trainer.optimizer).__name__
    if data["optimizer"] != own:
        constraint = f"a file of a trainer with {own}"
        raise ValueError(_check.message("load", "path", constraint, data["optimizer"]))
    if sorted(data["names"]) != sorted(names):
        constraint = f"a file of a trainer of {_few(sorted(names))}"
        found = _few(sorted(data["names"]))
        raise ValueError(_check.message("load", "path", constraint, found))


def _apply_trainer(data: Dict[str, Any], trainer: mx.gluon.Trainer, names: List[str]) -> None:
    optimizer = trainer.optimizer
    places = _trainer.updaters_of(trainer)
    saved = data["states"] if len(data["states"]) == len(places) else data["states"][:1]
    for number, updater in enumerate(places):
        states = saved[number % len(saved)]
        updater.states = {i: _state(states[name]) for i, name in enumerate(names) if name in states}
        updater.states_synced = dict.fromkeys(updater.states, False)  # MXNet moves them
    for name, value in data["fields"].items():
        setattr(optimizer, name, value)
    counts = {i: data["counts"][name] for i, name in enumerate(names) if name in data["counts"]}
    devices = {0, *optimizer._all_index_update_counts}
    parameters = _trainer.parameters_of(trainer)
    devices.update(place.device_id for one in parameters for place in contexts_of(one))
    optimizer._all_index_update_counts = {device: dict(counts) for device in devices}
    optimizer._index_update_count = optimizer._all_index_update_counts[0]
    _apply_scheduler(data["scheduler"], optimizer.lr_scheduler)
    if _trainer.loss_scaler_of(trainer) is not None:
        vars(_trainer.loss_scaler_of(trainer)).update(data["loss_scaler"])


def _numbers(owner: Any) -> Dict[str, Any]:
    """Return the attributes that are numbers; none where there is no owner."""
    fields = {} if owner is None else vars(owner)
    return {name: value for name, value in fields.items() if isinstance(value, _NUMBERS)}


def _scheduler_data(scheduler: Any) -> Any:
    """Return what a scheduler remembers: ours as its config, MXNet's as its numbers."""
    if isinstance(scheduler, Schedule):
        try:
            return {"config": scheduler.to_config()}
        except ValueError:  # there is a user's function in it
            return None
    if isinstance(scheduler, mx.lr_scheduler.LRScheduler):
        return {"class": type(scheduler).__name__, "fields": _numbers(scheduler)}
    return None


def _apply_scheduler(data: Any, scheduler: Any) -> None:
    """Let a scheduler of the same kind remember it; another one is a user's new choice."""
    if data is None or scheduler is None:
        return
    if "config" in data and isinstance(scheduler, Schedule):
        _remember(scheduler, Schedule.from_config(data["config"]))
    elif data.get("class") == type(scheduler).__name__:
        vars(scheduler).update(data["fields"])


def _remember(own: Schedule, saved: Schedule) -> None:
    if type(own) is not type(saved):
        return
    for name, value in vars(saved).items():
        part = vars(own).get(name)
        if isinstance(part, Schedule) and isinstance(value, Schedule):
            _remember(part, value)
        elif not isinstance(value, Schedule) and name not in saved._derived:
            own.__dict__[name] = value


# -- the file ----------------------------------------------------------------------------------


def _array(values: np.ndarray, stype: str, namespace: Any = mx.nd) -> mx.nd.NDArray:
    array = namespace.array(values, dtype=values.dtype)
    return array if stype == "default" else array.tostype(stype)


def _few(names: List[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if names[5:] else "") if names else "nothing"


class _DigestWriter:
    """A file that is written through a digest."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return int(self._file.write(data))


def _write(path: PathLike, data: Dict[str, Any]) -> None:
    arrays: List[np.ndarray] = []

    def as_reference(value: Any) -> Dict[str, int]:
        if not isinstance(value, np.ndarray):
            constraint = "what json can write, and arrays"
            raise TypeError(_check.message("save_checkpoint", "more", constraint, value))
        arrays.append(value)
        return {"__array__": len(arrays) - 1}

    text = json.dumps(data, default=as_reference).encode()

    def write(partial: Path) -> None:
        with open(partial, "wb") as file:
            writer = _DigestWriter(file)
            writer.write(_MAGIC + len(text).to_bytes(_LENGTH, "little") + text)
            for array in arrays:
                np.lib.format.write_array(writer, array, allow_pickle=False)
            file.write(writer.digest.digest())

    _replace(path, write)


def _replace(path: PathLike, write: Callable[[Path], object]) -> None:
    """Write a file beside `path`, and put it in its place when it is on the disk."""
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    try:
        write(partial)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _read(path: PathLike) -> Dict[str, Any]:
    content = Path(path).read_bytes()
    if not content.startswith(_MAGIC):
        constraint = "a checkpoint of gluon_lr"
        raise ValueError(_check.message("load", "path", constraint, str(path)))
    end = len(content) - _DIGEST
    if hashlib.sha256(memoryview(content)[: max(end, 0)]).digest() != content[-_DIGEST:]:
        constraint = "a checkpoint that is whole"
        remedy = "It was cut off or changed: its digest is another."
        raise ValueError(_check.message("load", "path", constraint, str(path), remedy))
    start = len(_MAGIC) + _LENGTH
    length = int.from_bytes(content[len(_MAGIC) : start], "little")
    file = io.BytesIO(content)  # without a copy of it
    file.seek(start)
    text = file.read(length)
    arrays = []
    while file.tell() < end:
        arrays.append(np.lib.format.read_array(file, allow_pickle=False))

    def from_reference(value: Dict[str, Any]) -> Any:
        return arrays[value["__array__"]] if value.keys() == {"__array__"} else value

    data: Dict[str, Any] = json.loads(text, object_hook=from_reference)
    return data
