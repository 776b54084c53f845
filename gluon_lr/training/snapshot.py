"""The exact state of a net and its trainer, held in memory and put back."""

import contextlib
import copy
from typing import Any, Dict, Iterator, List, Tuple

from .._mxnet import mx

_BY_REFERENCE = ("lr_scheduler", "param_dict")


@contextlib.contextmanager
def preserved(net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> Iterator[None]:
    """Put net and trainer back, at the end of the block, as they were at its start.

    That is: parameters, running statistics and gradients on every context, optimizer states
    and attributes (rate, counts, rescale_grad), the scheduler and what it remembers, and
    weights held by a local KVStore. `trainer.optimizer` and its scheduler stay the same
    objects. Also after an exception or Ctrl-C in the block. Nothing is written to disk.

    Random generators and the place in the data are not put back.

    Parameters
    ----------
    net : mx.gluon.Block
        Initialised, its shapes known.
    trainer : mx.gluon.Trainer
        The trainer of its parameters.

    Raises
    ------
    mx.gluon.parameter.DeferredInitializationError
        Where a parameter still waits for its shape.

    >>> import mxnet as mx
    >>> net = mx.gluon.nn.Dense(1, in_units=1)
    >>> net.initialize(mx.init.One())
    >>> trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    >>> with preserved(net, trainer):
    ...     trainer.set_learning_rate(10)
    ...     net.weight.set_data(mx.nd.array([[7]]))
    >>> trainer.learning_rate, net.weight.data().asnumpy().item()
    (0.1, 1.0)
    """
    snapshot = _Snapshot(net, trainer)
    try:
        yield
    finally:
        snapshot.restore()


class _Snapshot:
    """A copy of everything a training iteration changes."""

    def __init__(self, net: mx.gluon.Block, trainer: mx.gluon.Trainer) -> None:
        # Gluon has no public name for a Trainer's parameters, updaters and KVStore: the private
        # ones stand in this class alone.
        self._trainer = trainer
        self._kvstore_is_new = not trainer._kv_initialized and _is_local(trainer)
        if not self._kvstore_is_new:
            if not trainer._kv_initialized:
                trainer._init_kvstore()
            trainer._init_params()
        self._kvstore = trainer._kvstore if trainer._update_on_kvstore else None
        self._updaters = [self._kvstore._updater] if self._kvstore else trainer._updaters

        parameters = {id(p): p for p in [*net.collect_params().values(), *trainer._params]}
        weights = [array for p in parameters.values() for array in p.list_data()]
        trained = [p for p in parameters.values() if p.grad_req != "null"]
        gradients = [array for p in trained for array in p.list_grad()]
        self._arrays = [(array, array.copy()) for array in weights + gradients]
        # whether backward has run since the last step
        self._fresh = [(array, array._fresh_grad) for p in trained for array in p.list_data()]
        self._stored = self._pull_stored_weights()
        self._states = [_copied_states(updater.states) for updater in self._updaters]
        self._synced = [dict(updater.states_synced) for updater in self._updaters]
        self._optimizer = trainer.optimizer
        self._scheduler = self._optimizer.lr_scheduler
        self._optimizer_fields = _copied_fields(self._optimizer)
        self._scheduler_fields = _copied_fields(self._scheduler)

    def restore(self) -> None:
        for array, saved in self._arrays:
            saved.copyto(array)
        for array, fresh in self._fresh:
            array._fresh_grad = fresh
        if self._kvstore_is_new:
            # Making it broadcasts one context's running statistics to the others, so it has
            # to be made where it would have been: at the first step.
            self._trainer._reset_kvstore()
        self._push_stored_weights()
        for updater, states, synced in zip(self._updaters, self._states, self._synced):
            updater.states, updater.states_synced = states, synced
        _replace_fields(self._optimizer, self._optimizer_fields)
        self._optimizer.lr_scheduler = self._scheduler
        _replace_fields(self._scheduler, self._scheduler_fields)

    def _pull_stored_weights(self) -> List[Tuple[int, mx.nd.NDArray]]:
        if self._kvstore is None:
            return []
        stored = [
            (index, mx.nd.zeros_like(parameter.list_data()[0]))
            for index, parameter in enumerate(self._trainer._params)
        ]
        for index, weight in stored:
            self._kvstore.pull(index, out=weight)
        return stored

    def _push_stored_weights(self) -> None:
        """Write the weights into the KVStore.

        A KVStore initialises a key only once. What is pushed to it later goes through its
        updater, so for that moment the updater is one that stores what is pushed.
        """
        if self._kvstore is None:
            return
        updater = self._kvstore._updater
        self._kvstore._set_updater(lambda index, pushed, weight: pushed.copyto(weight))
        try:
            for index, weight in self._stored:
                self._kvstore.push(index, weight)
        finally:
            self._kvstore._set_updater(updater)


def _is_local(trainer: mx.gluon.Trainer) -> bool:
    """Say whether the trainer makes a KVStore of its own, on this machine."""
    kvstore = trainer._kvstore_params["kvstore"]
    return kvstore is None or (isinstance(kvstore, str) and "dist" not in kvstore)


def _copied_states(states: Dict[Any, Any]) -> Dict[Any, Any]:
    return {index: _copied_state(state) for index, state in states.items()}


def _copied_state(state: Any) -> Any:
    """Copy an optimizer's state of one parameter: None, an array, or a tuple of such."""
    if isinstance(state, (tuple, list)):
        return type(state)(_copied_state(part) for part in state)
    return state.copy() if isinstance(state, mx.nd.NDArray) else copy.deepcopy(state)


def _copied_fields(target: Any) -> Dict[str, Any]:
    """Copy the attributes in one go, so that two that share a dict share its copy."""
    fields = getattr(target, "__dict__", {})
    return copy.deepcopy({k: v for k, v in fields.items() if k not in _BY_REFERENCE})


def _replace_fields(target: Any, saved: Dict[str, Any]) -> None:
    for name in [k for k in getattr(target, "__dict__", {}) if k not in _BY_REFERENCE]:
        delattr(target, name)
    for name, value in saved.items():
        setattr(target, name, value)
