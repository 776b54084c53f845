"""The parameters of a net as data."""

from collections import Counter
from typing import Any, Dict, Iterable, List

import numpy as np

from .. import _check, _trainer
from .._mxnet import array_of, mx, named_parameters, write
from . import schema

PARAMETERS = schema.ByName(schema.Maybe(schema.Several(schema.ARRAY, at_least=1)))
GRADIENTS = schema.ByName(
    schema.Record(values=schema.Several(schema.ARRAY, at_least=1), fresh=schema.FLAG)
)


def parameters_of(net: mx.gluon.Block) -> Dict[str, Any]:
    """Return the values of each parameter, for each context, or for one if all are equal.

    None stands for a parameter whose shape is not known yet.
    """
    return {
        name: None if parameter._data is None else _distinct(parameter._data)
        for name, parameter in named_parameters(net).items()
    }


def gradients_of(net: mx.gluon.Block) -> Dict[str, Any]:
    """Return the gradients that are added up over several backward passes, on each context."""
    return {
        name: {
            "values": [array.asnumpy() for array in parameter._grad],
            "fresh": all(array._fresh_grad for array in parameter._data),
        }
        for name, parameter in _adding(net).items()
    }


def check(parameters: Dict[str, Any], gradients: Dict[str, Any], net: mx.gluon.Block) -> None:
    """Raise a ValueError if these are not for this net."""
    own = named_parameters(net)
    if own.keys() != parameters.keys():
        found = unlike(own, parameters)
        raise ValueError(
            _check.message("load", "path", "a file with the parameters of this net", found)
        )
    for name, parameter in own.items():
        values = parameters[name]
        if values is None:
            continue
        shape = values[0].shape if parameter.shape is None else parameter.shape
        kind = schema.Several(schema.arrays_of(shape, parameter.dtype))
        kind.check(values, f"parameters[{name!r}]")
        kind = schema.Several(schema.arrays_of(values[0].shape, parameter.dtype))
        kind.check(values, f"parameters[{name!r}]")
    for name, gradient in gradients.items():
        place = f"gradients[{name!r}]"
        if name not in own or parameters[name] is None:
            raise schema.astray(place, "omitted: the net has no such parameter", "a gradient")
        kind = schema.Several(schema.arrays_of(parameters[name][0].shape, own[name].dtype))
        kind.check(gradient["values"], f"{place}.values")


def add_up(gradients: Dict[str, Any], net: mx.gluon.Block) -> None:
    """Make backward passes add to the gradients of these parameters."""
    for name, parameter in named_parameters(net).items():
        if name in gradients and parameter.grad_req == "write":
            parameter.grad_req = "add"


def finish_shapes(parameters: Dict[str, Any], net: mx.gluon.Block) -> None:
    """Give arrays to the parameters whose shapes are not known yet."""
    for name, parameter in named_parameters(net).items():
        if parameter._data is None and parameters[name] is not None:
            values = parameters[name][0]
            parameter.shape = values.shape
            parameter.set_data(array_of(values))
            parameter._finish_deferred_init()


def apply(
    parameters: Dict[str, Any],
    gradients: Dict[str, Any],
    net: mx.gluon.Block,
    trainer: mx.gluon.Trainer,
) -> None:
    """Write checked values into a net, and into the KVStore if it has the weights too."""
    apply_parameters(parameters, net, trainer)
    for name, parameter in _adding(net).items():
        saved = gradients.get(name, {"values": [], "fresh": False})
        for array, values in zip(parameter._grad, _shared_out(parameter._grad, saved["values"])):
            write(array, values)
        for array in parameter._data:
            array._fresh_grad = saved["fresh"]


def apply_parameters(
    parameters: Dict[str, Any], net: mx.gluon.Block, trainer: mx.gluon.Trainer
) -> None:
    """Write checked values into a net, and into the trainer's copies of the weights."""
    for name, parameter in named_parameters(net).items():
        if parameters[name] is not None:
            values = _for_each(parameter._data, parameters[name])
            for array, of_context in zip(parameter._data, values):
                write(array, of_context)
    hand_over(trainer)


def hand_over(trainer: mx.gluon.Trainer) -> None:
    """Copy the current weights to the trainer's KVStore and its full-precision copies."""
    store = _trainer.store_of(trainer)
    if store is not None:
        _trainer.write_to_store(
            store,
            [(i, one._data[0]) for i, one in enumerate(_trainer.parameters_of(trainer))],
            store._updater,
        )
    _trainer.copy_to_states(trainer)


def unlike(own: Iterable[str], saved: Iterable[str]) -> str:
    """Return as text which names a file with the names `saved` lacks, and which are unknown."""
    missing, unknown = Counter(list(own)), Counter(list(saved))
    without, beyond = (sorted(one.elements()) for one in (missing - unknown, unknown - missing))
    return f"a file that lacks {few(without)} and adds {few(beyond)}"


def few(names: List[str]) -> str:
    """Return the first of some names as a text."""
    return ", ".join(names[:5]) + (" ..." if names[5:] else "") if names else "nothing"


def _adding(net: mx.gluon.Block) -> Dict[str, mx.gluon.Parameter]:
    return {
        name: parameter
        for name, parameter in named_parameters(net).items()
        if parameter.grad_req == "add" and parameter._grad is not None
    }


def _distinct(arrays: List[mx.nd.NDArray]) -> List[np.ndarray]:
    values = [array.asnumpy() for array in arrays]
    same = all(one.tobytes() == values[0].tobytes() for one in values[1:])
    return values[:1] if same else values


def _for_each(places: List[Any], saved: List[np.ndarray]) -> List[np.ndarray]:
    """Return the saved values for each context; their mean if the number of contexts differs."""
    if len(saved) == len(places):
        return saved
    mean = np.mean(saved, axis=0).astype(saved[0].dtype)
    return [mean] * len(places)


def _shared_out(places: List[Any], saved: List[np.ndarray]) -> List[np.ndarray]:
    """Return the saved gradients by context; for another number, their sum on the first."""
    if len(saved) == len(places):
        return saved
    zero = np.zeros(places[0].shape, places[0].dtype)
    total = np.sum(saved, axis=0).astype(zero.dtype) if saved else zero
    return [total] + [zero] * (len(places) - 1)
