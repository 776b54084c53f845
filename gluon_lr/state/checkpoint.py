"""Net and trainer in a file: written completely or not at all, checked before it is applied."""

import os
from typing import Any, Dict, List, Mapping

import numpy as np

from .. import _check, _trainer
from .._interrupts import uninterrupted
from .._mxnet import mx, nd, save_arrays
from ..distributed.workers import Workers
from . import net as nets
from . import schema
from .files import PathLike, write_whole
from .tensors import load_data, save_data
from .trainer import TRAINER, Return, data_of, names_of

_KIND = "checkpoint"
_CHECKPOINT = schema.Record(
    mxnet=schema.TEXT,
    parameters=nets.PARAMETERS,
    gradients=nets.GRADIENTS,
    trainer=TRAINER,
    more=schema.ANYTHING,
)
_STATES = schema.Record(mxnet=schema.TEXT, trainer=TRAINER)


def save_checkpoint(
    path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer, more: Any = None
) -> None:
    """Write net and trainer to a file, completely or not at all; after an error the old file stays.

    The file has the parameters and running statistics, for each context if they differ; the
    optimizer's states, counts and numbers; the state of its lr_scheduler; and the scale of a
    mixed-precision loss. It can be read on other contexts. Of several workers, only the first
    writes.

    Parameters
    ----------
    path : str or path
        The file. While it is written, a file with the ending '.partial' is beside it.
    net : mx.gluon.Block
        The net, initialised.
    trainer : mx.gluon.Trainer
        The trainer of its parameters.
    more : optional
        Other data to write, of types that `json` can write, and NumPy arrays.

    Raises
    ------
    ValueError
        If the optimizer has attributes other than numbers and its states, or if the servers of a
        distributed KVStore update the weights.
    OSError
        If the file cannot be written.

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
    save_data(path, checkpoint_of(net, trainer, more), _KIND)


def checkpoint_of(
    net: mx.gluon.Block, trainer: mx.gluon.Trainer, more: Any = None
) -> Dict[str, Any]:
    """Return the data that :func:`save_checkpoint` writes."""
    return {
        "mxnet": mx.__version__,
        "parameters": nets.parameters_of(net),
        "gradients": nets.gradients_of(net),
        "trainer": data_of(trainer, names_of(net, trainer)),
        "more": more,
    }


def load_checkpoint(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> Any:
    """Read a file into a net and its trainer; after an error nothing has changed.

    The arrays, the optimizer and its scheduler stay the same objects. The contexts may differ in
    kind, number and device ids. If this script sets another rate, momentum or schedule than the
    script that wrote the file, this script's value is used, and a warning names both. A script's
    values are those of the trainer when it is first given to this function or to
    :func:`save_checkpoint`.

    Parameters
    ----------
    path : str or path
        A file of :func:`save_checkpoint`.
    net : mx.gluon.Block
        A net like the saved one. Its initialisation may be deferred.
    trainer : mx.gluon.Trainer
        The trainer of its parameters, with an optimizer of the same class.

    Returns
    -------
    object
        The `more` of :func:`save_checkpoint`.

    Raises
    ------
    ValueError
        If the file is not complete, or is for another net or optimizer.
    OSError
        If the file does not exist.
    """
    reading = read(path, net, trainer)
    tell(reading.differences)
    reading.apply()
    return reading.more


def read(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> "Reading":
    """Read a file as :func:`load_checkpoint` does, but change nothing yet."""
    data = load_data(path, _KIND)
    if "trainer" in data and "parameters" not in data:
        constraint = "a checkpoint of a net and a trainer"
        remedy = "Read this file with load_states: it has only the states of a trainer."
        raise ValueError(_check.message("load", "path", constraint, str(path), remedy))
    return Reading(data, net, trainer)


class Reading:
    """The data that :func:`checkpoint_of` returned, checked to fit net and trainer.

    Nothing is changed before :meth:`apply`.

    Parameters
    ----------
    data : object
        What :func:`checkpoint_of` returned.
    net, trainer
        As in :func:`load_checkpoint`.
    place : str
        The place of the data in the file.

    Attributes
    ----------
    more : object
        The `more` of :func:`save_checkpoint`.
    differences : list of str
        What this script sets differently from the script that wrote the file.

    Raises
    ------
    ValueError
        As :func:`load_checkpoint`.
    """

    def __init__(
        self, data: Any, net: mx.gluon.Block, trainer: mx.gluon.Trainer, place: str = ""
    ) -> None:
        _CHECKPOINT.check(data, place)
        nets.check(data["parameters"], data["gradients"], net)
        names = names_of(net, trainer)
        self._return = Return(data, trainer, names, _weights(net, trainer, data["parameters"]))
        self._data = data
        self._net = net
        self._trainer = trainer
        self.more = data["more"]
        self.differences = self._return.differences

    @uninterrupted
    def add_up_gradients(self) -> None:
        """Make the net add up the gradients that are added up in the file."""
        nets.add_up(self._data["gradients"], self._net)

    def apply(self) -> None:
        """Restore net and trainer."""
        parameters, trainer = self._data["parameters"], self._trainer
        nets.finish_shapes(parameters, self._net)
        if not _trainer.is_distributed(trainer):
            if self._data["trainer"]["kvstore_made"]:
                _trainer.prepare(trainer)
            else:
                trainer._reset_kvstore()
        nets.apply(parameters, self._data["gradients"], self._net, trainer)
        self._return.apply()


def tell(differences: List[str]) -> None:
    """Warn once of what this script sets differently from the script that wrote the file."""
    if differences:
        _check.warn_caller(
            "load: this script sets other values than the script that wrote the file, and the "
            f"values of this script are used: {'; '.join(differences)}."
        )


def save_states(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> None:
    """Write only the trainer to a file, as :func:`save_checkpoint` does."""
    _trainer.check_updates_here("save_states", trainer)
    if not Workers.of(trainer).is_first:
        return
    states = data_of(trainer, names_of(net, trainer))
    save_data(path, {"mxnet": mx.__version__, "trainer": states}, _KIND)


def load_states(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> None:
    """Read a file of :func:`save_states` or :func:`save_checkpoint` into the trainer only.

    The net's initialisation may be deferred.

    Raises
    ------
    ValueError
        If the file is not complete, or is for another optimizer.
    """
    data = load_data(path, _KIND)
    (_CHECKPOINT if "parameters" in data else _STATES).check(data, "")
    way_back = Return(data, trainer, names_of(net, trainer), _weights(net, trainer, {}))
    tell(way_back.differences)
    _apply_states(way_back, data["trainer"]["kvstore_made"], trainer)


@uninterrupted
def _apply_states(way_back: Return, kvstore_made: bool, trainer: mx.gluon.Trainer) -> None:
    if any(one._deferred_init for one in _trainer.parameters_of(trainer)):
        _trainer.hand_states_over(trainer)
    elif kvstore_made and not _trainer.is_distributed(trainer):
        _trainer.prepare(trainer)
    way_back.apply()


def save_params(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> None:
    """Write the parameters as ``net.save_parameters`` does, completely or not at all."""
    if Workers.of(trainer).is_first:
        write_whole(path, net.save_parameters)


def write_params(path: PathLike, parameters: Mapping[str, Any]) -> None:
    """Write parameters that `state.net` has read to a file, as :func:`save_params` does."""
    arrays = {
        name: nd.array(np.mean(values, axis=0), dtype=values[0].dtype)
        for name, values in parameters.items()
        if values is not None
    }
    write_whole(path, lambda partial: save_arrays(partial, arrays))


def load_params(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> None:
    """Read a file of ``net.save_parameters``; unlike MXNet's own function, keep the momentum.

    Raises
    ------
    ValueError
        If it is not such a file, or is for another net.
    OSError
        If the file does not exist.
    """
    with open(path, "rb"):  # raises an OSError, not MXNet's own error
        loaded = _loaded(os.fspath(path))
    parameters = {name: [array.asnumpy()] for name, array in loaded.items()}
    nets.check(parameters, {}, net)
    _apply_params(parameters, net, trainer)


@uninterrupted
def _apply_params(
    parameters: Dict[str, Any], net: mx.gluon.Block, trainer: mx.gluon.Trainer
) -> None:
    nets.finish_shapes(parameters, net)
    nets.apply_parameters(parameters, net, trainer)


def _loaded(path: str) -> Dict[str, Any]:
    try:
        loaded = mx.nd.load(path)
    except mx.base.MXNetError:
        loaded = None
    if not isinstance(loaded, dict):
        constraint = "a file of named parameters"
        raise ValueError(_check.message("load_params", "path", constraint, path))
    return loaded


def _weights(
    net: mx.gluon.Block, trainer: mx.gluon.Trainer, parameters: Dict[str, Any]
) -> Dict[str, Any]:
    """Return arrays with the shapes and types of the trainer's parameters, by name."""
    weights = {}
    for name, parameter in zip(names_of(net, trainer), _trainer.parameters_of(trainer)):
        if parameter._data is not None:
            weights[name] = parameter._data[0]
        elif parameters.get(name) is not None:
            values = parameters[name][0]
            weights[name] = nd.zeros(values.shape, dtype=values.dtype)
    return weights
