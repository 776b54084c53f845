"""Net and trainer in a file: written at once or not at all, checked before anything is touched."""

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
    save_data(path, checkpoint_of(net, trainer, more), _KIND)


def checkpoint_of(
    net: mx.gluon.Block, trainer: mx.gluon.Trainer, more: Any = None
) -> Dict[str, Any]:
    """Return what :func:`save_checkpoint` writes."""
    return {
        "mxnet": mx.__version__,
        "parameters": nets.parameters_of(net),
        "gradients": nets.gradients_of(net),
        "trainer": data_of(trainer, names_of(net, trainer)),
        "more": more,
    }


def load_checkpoint(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> Any:
    """Read a file into a net and its trainer, all of it or, after an error, nothing.

    The arrays, the optimizer and its scheduler stay the same objects. The contexts may be others,
    in kind, number and device ids. What this script states otherwise than the one that wrote the
    file, a rate, a momentum or a schedule, holds, and a warning names both. A script states what
    the trainer has when it is first given to this function or to :func:`save_checkpoint`.

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
        constraint = "a checkpoint of net and trainer"
        remedy = "This one has the trainer's states alone: load_states reads it."
        raise ValueError(_check.message("load", "path", constraint, str(path), remedy))
    return Reading(data, net, trainer)


class Reading:
    """What :func:`checkpoint_of` returned, checked: it fits net and trainer.

    Nothing is changed before :meth:`apply`.

    Parameters
    ----------
    data : object
        That.
    net, trainer
        As in :func:`load_checkpoint`.
    place : str
        Where in the file it was.

    Attributes
    ----------
    more : object
        What else was written.
    differences : list of str
        What this script states otherwise than the one that wrote the file.

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
        """Have the net add up gradients where the file's does."""
        nets.add_up(self._data["gradients"], self._net)

    def apply(self) -> None:
        """Make net and trainer what they were."""
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
    """Warn, once, of what a script states otherwise than the one that wrote a file."""
    if differences:
        _check.warn_caller(
            "load: the file was written by a script that stated otherwise; what this one states "
            f"holds: {'; '.join(differences)}."
        )


def save_states(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> None:
    """Write the trainer alone to a file, as :func:`save_checkpoint` does."""
    _trainer.check_updates_here("save_states", trainer)
    if not Workers.of(trainer).is_first:
        return
    states = data_of(trainer, names_of(net, trainer))
    save_data(path, {"mxnet": mx.__version__, "trainer": states}, _KIND)


def load_states(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> None:
    """Read what :func:`save_states` or :func:`save_checkpoint` wrote into the trainer alone.

    The net may wait for its shapes.

    Raises
    ------
    ValueError
        Where the file is not whole, or of another optimizer.
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
    """Write the parameters to a file as ``net.save_parameters`` does, at once or not at all."""
    if Workers.of(trainer).is_first:
        write_whole(path, net.save_parameters)


def write_params(path: PathLike, parameters: Mapping[str, Any]) -> None:
    """Write values that `state.net` has read from a net to a file, as :func:`save_params` does."""
    arrays = {
        name: nd.array(np.mean(values, axis=0), dtype=values[0].dtype)
        for name, values in parameters.items()
        if values is not None
    }
    write_whole(path, lambda partial: save_arrays(partial, arrays))


def load_params(path: PathLike, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> None:
    """Read a file of ``net.save_parameters``; unlike with MXNet's own, momentum is not lost.

    Raises
    ------
    ValueError
        Where the file is none, or of another net.
    OSError
        If the file does not exist.
    """
    with open(path, "rb"):  # MXNet has an error of its own where it cannot be opened
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
        constraint = "a file of parameters by name"
        raise ValueError(_check.message("load_params", "path", constraint, path))
    return loaded


def _weights(
    net: mx.gluon.Block, trainer: mx.gluon.Trainer, parameters: Dict[str, Any]
) -> Dict[str, Any]:
    """Return arrays like those that the trainer's parameters will have, by name."""
    weights = {}
    for name, parameter in zip(names_of(net, trainer), _trainer.parameters_of(trainer)):
        if parameter._data is not None:
            weights[name] = parameter._data[0]
        elif parameters.get(name) is not None:
            values = parameters[name][0]
            weights[name] = nd.zeros(values.shape, dtype=values.dtype)
    return weights
