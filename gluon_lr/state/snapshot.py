"""The exact state of a net and its trainer, held in memory and put back."""

import contextlib
import copy
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .. import _check, _trainer
from .._mxnet import contexts_of, infer_shapes_anew, mx, number_without_gaps, untraced
from .generators import GlobalState
from .transaction import afterwards

_BY_REFERENCE = ("lr_scheduler", "param_dict")


@contextlib.contextmanager
def preserved(
    net: mx.gluon.Block, trainer: mx.gluon.Trainer, seed: Optional[int] = None
) -> Iterator[None]:
    """Put net and trainer back, at the end of the block, as they were at its start.

    That is: parameters, running statistics and gradients on every context, optimizer states
    and attributes (rate, counts, rescale_grad), the scheduler and what it remembers, the
    weights in a local KVStore, the scale of a mixed-precision loss, and the generators of
    Python and of NumPy. `trainer.optimizer`, its scheduler and all arrays stay the same
    objects. Also after an exception or Ctrl-C in the block. Nothing is written to disk. A
    parameter that waits for its shape keeps the first values it gets in the block.

    MXNet's random generators, which dropout draws from, cannot be read: they can only be set
    to a `seed`. :meth:`gluon_lr.Learner.place_kept` keeps the place in the data.

    Parameters
    ----------
    net : mx.gluon.Block
        Initialised.
    trainer : mx.gluon.Trainer
        The trainer of its parameters.
    seed : int, optional
        What to seed MXNet's generators with, at the start of the block and at its end, so that
        training goes on as after `mx.random.seed(seed)`. A parameter that waits for its shape
        goes on waiting then.

    Raises
    ------
    RuntimeError
        Where a parameter is not initialised.
    TypeError, ValueError
        Where the seed is not an integer of at least 0; where the servers of a distributed
        KVStore update the weights.

    >>> import mxnet as mx
    >>> net = mx.gluon.nn.Dense(1, in_units=1)
    >>> net.initialize(mx.init.One())
    >>> trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    >>> with preserved(net, trainer):
    ...     trainer.set_learning_rate(10)
    ...     net.weight.set_data(7 * net.weight.data())
    >>> trainer.learning_rate, net.weight.data().asnumpy().item()
    (0.1, 1.0)
    """
    if seed is not None:
        seed = _check.integer("preserved", "seed", seed, 0)
    _trainer.check_updates_here("preserved", trainer)
    snapshot = _Snapshot(net, trainer, seed)
    with afterwards(snapshot.restore):
        snapshot.begin()
        yield


class _Snapshot:
    """A copy of everything a training iteration changes."""

    # Gluon has no public name for a Parameter's arrays by context, for arrays stored by rows,
    # nor for the moment a parameter gets its first values: those stand in this class alone.

    def __init__(self, net: mx.gluon.Block, trainer: mx.gluon.Trainer, seed: Optional[int]) -> None:
        self._net = net
        self._seed = seed
        self._generators = GlobalState.get()
        self._mode = mx.autograd.is_recording(), mx.autograd.is_training()
        number_without_gaps(trainer)
        self._trainer = trainer
        self._scale = trainer._scale
        self._scaler = _trainer.loss_scaler_of(trainer)
        self._scaler_fields = _copied_fields(self._scaler)
        self._optimizer = trainer.optimizer
        self._scheduler = self._optimizer.lr_scheduler
        self._optimizer_fields = _copied_fields(self._optimizer)
        self._scheduler_fields = _copied_fields(self._scheduler)

        self._arrays: List[Tuple[mx.nd.NDArray, mx.nd.NDArray]] = []
        self._fresh: List[Tuple[mx.nd.NDArray, bool]] = []
        self._waiting: List[Tuple[mx.gluon.Parameter, Any, Any]] = []
        parameters = {id(p): p for p in [*net.collect_params().values(), *trainer._params]}
        for parameter in parameters.values():
            contexts_of(parameter)  # an error where it is not initialised
            if parameter._deferred_init:
                self._waiting.append((parameter, parameter.shape, parameter._deferred_init))
            else:
                self._take(parameter)

        self._kvstore_is_new = not trainer._kv_initialized and _is_local(trainer)
        if not self._kvstore_is_new:
            _trainer.prepare(trainer)
        self._kvstore = _trainer.store_of(trainer)
        self._store_updater = self._kvstore._updater if self._kvstore else None
        self._stored = self._pull_stored_weights()
        self._states = [
            (updater, dict(updater.states), dict(updater.states_synced))
            for updater in _trainer.updaters_of(trainer)
        ]
        for _, states, _ in self._states:
            kept = _trainer.arrays_in(states.values())
            self._arrays += [(array, array.copy()) for array in kept]

    def begin(self) -> None:
        for parameter, _, _ in self._waiting:
            self._take_when_it_has_values(parameter)
        if self._seed is not None:
            mx.random.seed(self._seed)

    def restore(self) -> None:
        mx.autograd.set_recording(False)  # Ctrl-C in `record()` itself may leave it on
        for parameter, shape, initialisation in self._waiting:
            vars(parameter).pop("_finish_deferred_init", None)
            # without values, where Ctrl-C came while it got them
            if self._seed is not None or parameter._data is None:
                parameter._data = parameter._grad = None
                parameter._shape, parameter._deferred_init = shape, initialisation
                parameter._var = None  # of a hybrid net's graph: it has the shape
        if any(parameter._deferred_init for parameter, _, _ in self._waiting):
            infer_shapes_anew(self._net)
        for array, saved in self._arrays:
            saved.copyto(array)
        for array, fresh in self._fresh:
            array._fresh_grad = fresh
        if self._kvstore_is_new:
            # Making it broadcasts one context's running statistics to the others, so it has
            # to be made where it would have been: at the first step.
            self._trainer._reset_kvstore()
        if self._kvstore is not None:
            _trainer.write_to_store(self._kvstore, self._stored, self._store_updater)
        for updater, states, synced in self._states:
            updater.states, updater.states_synced = dict(states), dict(synced)
            updater.optimizer = self._optimizer
        self._trainer._optimizer = self._optimizer  # load_states() makes another
        self._trainer._scale = self._scale
        _replace_fields(self._scaler, self._scaler_fields)
        _replace_fields(self._optimizer, self._optimizer_fields)
        self._optimizer.lr_scheduler = self._scheduler
        _replace_fields(self._scheduler, self._scheduler_fields)
        self._generators.put_back()
        if self._seed is not None:
            mx.random.seed(self._seed)
        recording, training = self._mode
        mx.autograd.set_recording(recording)
        mx.autograd.set_training(training)

    def _take(self, parameter: mx.gluon.Parameter) -> None:
        weights = parameter._data
        gradients = parameter._grad or []
        self._arrays += [(array, array.copy()) for array in weights + gradients]
        if gradients:  # whether backward has run since the last step
            self._fresh += [(array, array._fresh_grad) for array in weights]

    def _take_when_it_has_values(self, parameter: mx.gluon.Parameter) -> None:
        finish = parameter._finish_deferred_init

        def finish_and_take() -> None:
            waited = parameter._deferred_init
            finish()
            if waited:
                with untraced():
                    self._take(parameter)

        parameter._finish_deferred_init = finish_and_take

    def _pull_stored_weights(self) -> List[Tuple[int, mx.nd.NDArray]]:
        if self._kvstore is None:
            return []
        stored = [
            (index, parameter._data[0].copy())
            for index, parameter in enumerate(self._trainer._params)
        ]
        for index, weight in stored:
            self._kvstore.pull(index, out=weight, ignore_sparse=False)
        return stored


def _is_local(trainer: mx.gluon.Trainer) -> bool:
    """Say whether the trainer makes a KVStore of its own, on this machine."""
    kvstore = trainer._kvstore_params["kvstore"]
    given = kvstore is not None and not isinstance(kvstore, str)
    return not given and not _trainer.is_distributed(trainer)


def _copied_fields(target: Any) -> Dict[str, Any]:
    """Copy the attributes in one go, so that two that share a dict share its copy."""
    fields = getattr(target, "__dict__", {})
    return copy.deepcopy({k: v for k, v in fields.items() if k not in _BY_REFERENCE})


def _replace_fields(target: Any, saved: Dict[str, Any]) -> None:
    for name in [k for k in getattr(target, "__dict__", {}) if k not in _BY_REFERENCE]:
        delattr(target, name)
    for name, value in saved.items():
        setattr(target, name, value)
