"""The exact state of nets and their trainers, kept in memory and restored."""

import copy
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from .. import _check, _trainer
from .._mxnet import contexts_of, infer_shapes_anew, mx, number_without_gaps, untraced
from .generators import GlobalState
from .transaction import Transaction

_BY_REFERENCE = ("lr_scheduler", "param_dict")
_STATED = ("grad_req", "lr_mult", "wd_mult")  # attributes that a script sets

Nets = Union[mx.gluon.Block, Sequence[mx.gluon.Block]]
Trainers = Union[mx.gluon.Trainer, Sequence[mx.gluon.Trainer]]


def preserved(net: Nets, trainer: Trainers, seed: Optional[int] = None) -> Transaction:
    """Restore nets and trainers, at the end of the block, to their state at its start.

    It restores parameters, running statistics and gradients on every context, with their
    `grad_req`, `lr_mult` and `wd_mult`; optimizer states and attributes (rate, counts,
    rescale_grad); the scheduler and its state; the weights in a local KVStore; the scale of a
    mixed-precision loss; and the generators of Python and NumPy. `trainer.optimizer`, its
    scheduler and all arrays stay the same objects. It also does this after an exception or
    Ctrl-C; Ctrl-C waits until all is restored. Nothing is written to disk. A parameter with
    deferred initialisation keeps the first values that it gets in the block.

    MXNet's random generators, which dropout uses, cannot be read: they can only be set to a
    `seed`. :meth:`gluon_lr.Learner.place_kept` restores the place in the data.

    Parameters
    ----------
    net : mx.gluon.Block or list of mx.gluon.Block
        The nets, initialised.
    trainer : mx.gluon.Trainer or list of mx.gluon.Trainer
        The trainers of their parameters: ``preserved([net_d, net_g], [trainer_d, trainer_g])``.
    seed : int, optional
        A seed for MXNet's generators, set at the start and at the end of the block, so that
        training continues as after `mx.random.seed(seed)`. A parameter with deferred
        initialisation is then deferred again.

    Raises
    ------
    RuntimeError
        If a parameter is not initialised.
    TypeError, ValueError
        If the seed is not an integer of at least 0; if an argument is not nets or trainers; if an
        optimizer or its scheduler cannot be copied; if the servers of a distributed KVStore
        update the weights.

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
    nets = _several("net", net, mx.gluon.Block)
    trainers = _several("trainer", trainer, mx.gluon.Trainer)
    for one in trainers:
        _trainer.check_updates_here("preserved", one)
    return _Preserved(nets, trainers, seed)


def _several(argument: str, given: Any, kind: type) -> List[Any]:
    several = list(given) if isinstance(given, (list, tuple)) else [given]
    if not several or not all(isinstance(one, kind) for one in several):
        constraint = f"an mx.gluon.{kind.__name__} or a list of them"
        raise TypeError(_check.message("preserved", argument, constraint, given))
    return several


class _Preserved(Transaction):
    """Everything that a training iteration changes."""

    def __init__(
        self, nets: List[mx.gluon.Block], trainers: List[mx.gluon.Trainer], seed: Optional[int]
    ) -> None:
        self._nets = nets
        self._trainers = trainers
        self._seed = seed

    def take(self) -> None:
        self._generators = GlobalState.get()
        self._mode = mx.autograd.is_recording(), mx.autograd.is_training()
        parameters = [one for net in self._nets for one in net.collect_params().values()]
        parameters += [one for trainer in self._trainers for one in trainer._params]
        kept = [_Parameter(one, self._seed is not None) for one in dict.fromkeys(parameters)]
        self._parameters = kept
        self._optimizers = [_Optimizer(trainer) for trainer in self._trainers]

    def begin(self) -> None:
        for parameter in self._parameters:
            parameter.begin()
        if self._seed is not None:
            mx.random.seed(self._seed)

    def put_back(self) -> None:
        mx.autograd.set_recording(False)  # Ctrl-C in `record()` itself may leave it on
        for parameter in self._parameters:
            parameter.put_back()
        if any(parameter.waits for parameter in self._parameters):
            for net in self._nets:
                infer_shapes_anew(net)
        for optimizer in self._optimizers:
            optimizer.put_back()
        self._generators.put_back()
        if self._seed is not None:
            mx.random.seed(self._seed)
        recording, training = self._mode
        mx.autograd.set_recording(recording)
        mx.autograd.set_training(training)


class _Parameter:
    """A parameter with its arrays, or with its deferred initialisation."""

    # Gluon has no public names for a Parameter's arrays by context, nor for the moment when it
    # gets its first values. Only this class uses the private names.

    def __init__(self, parameter: mx.gluon.Parameter, goes_on_waiting: bool) -> None:
        contexts_of(parameter)  # raises an error if it is not initialised
        self._parameter = parameter
        self._goes_on_waiting = goes_on_waiting
        self._waited = parameter.shape, parameter._deferred_init
        self._stated = {name: getattr(parameter, name) for name in _STATED}
        self._fields: Dict[str, Any] = {}
        self._arrays: List[Tuple[mx.nd.NDArray, mx.nd.NDArray]] = []
        self._fresh: List[Tuple[mx.nd.NDArray, bool]] = []
        if not parameter._deferred_init:
            self._take()

    @property
    def waits(self) -> bool:
        """Whether its initialisation is deferred now."""
        return bool(self._parameter._deferred_init)

    def begin(self) -> None:
        """Make a deferred parameter keep the first values that it gets."""
        if not self.waits:
            return
        finish = self._parameter._finish_deferred_init

        def finish_and_take() -> None:
            waited = self.waits
            finish()
            if waited:
                with untraced():
                    self._take()

        self._parameter._finish_deferred_init = finish_and_take

    def put_back(self) -> None:
        parameter = self._parameter
        shape, initialisation = self._waited
        # it has no values if Ctrl-C came while it got them
        if initialisation and (self._goes_on_waiting or not self._fields):
            parameter._data = parameter._grad = None
            parameter._shape, parameter._deferred_init = shape, initialisation
            parameter._var = None  # a hybrid net's graph variable, which has the shape
        else:
            self._put_back_fields()
            for array, saved in self._arrays:
                saved.copyto(array)
            for array, fresh in self._fresh:
                array._fresh_grad = fresh
        vars(parameter).pop("_finish_deferred_init", None)
        for name, value in self._stated.items():
            setattr(parameter, name, value)

    def _take(self) -> None:
        parameter = self._parameter
        parameter.var()  # MXNet 2.0 ties the arrays to this graph variable, and to no other
        self._fields = dict(vars(parameter))
        weights, gradients = parameter._data, parameter._grad or []
        self._arrays = [(array, array.copy()) for array in weights + gradients]
        if gradients:  # whether backward has run since the last step
            self._fresh = [(array, array._fresh_grad) for array in weights]

    def _put_back_fields(self) -> None:
        """Restore its own arrays: a new `grad_req` or context has made others."""
        parameter, fields = self._parameter, self._fields
        others = any(vars(parameter)[name] is not fields[name] for name in ("_data", "_grad"))
        vars(parameter).update(fields)
        if others:
            gradients = parameter._grad or [one.copy() for one in parameter._data]  # not used
            mx.autograd.mark_variables(parameter._data, gradients, parameter.grad_req)


class _Optimizer:
    """A trainer's optimizer with its scheduler and states, and the weights in its KVStore."""

    def __init__(self, trainer: mx.gluon.Trainer) -> None:
        number_without_gaps(trainer)
        self._trainer = trainer
        self._scale = trainer._scale
        self._scaler = _trainer.loss_scaler_of(trainer)
        self._scaler_fields = _copied_fields(self._scaler)
        self._optimizer = trainer.optimizer
        self._scheduler = self._optimizer.lr_scheduler
        self._fields = _copied_fields(self._optimizer)
        self._scheduler_fields = _copied_fields(self._scheduler)
        self._kvstore_is_new = not trainer._kv_initialized and _is_local(trainer)
        if not self._kvstore_is_new:
            _trainer.prepare(trainer)
        self._kvstore = _trainer.store_of(trainer)
        self._store_updater = self._kvstore._updater if self._kvstore else None
        self._stored = self._pull_stored_weights()
        self._states = [
            (
                updater,
                dict(updater.states),
                dict(updater.states_synced),
                updater.aggregate_updates,
            )
            for updater in _trainer.updaters_of(trainer)
        ]
        self._arrays = [
            (array, array.copy())
            for _, states, _, _ in self._states
            for array in _trainer.arrays_in(states.values())
        ]

    def put_back(self) -> None:
        if self._kvstore_is_new:
            # Making a KVStore copies one context's running statistics to the others. So it
            # must be made at the first step, as without the block.
            self._trainer._reset_kvstore()
        if self._kvstore is not None:
            _trainer.write_to_store(self._kvstore, self._stored, self._store_updater)
        for array, saved in self._arrays:
            saved.copyto(array)
        for updater, states, synced, several_at_once in self._states:
            updater.states, updater.states_synced = dict(states), dict(synced)
            updater.aggregate_updates = several_at_once
            updater.optimizer = self._optimizer
        self._trainer._optimizer = self._optimizer  # load_states() makes a new one
        self._trainer._scale = self._scale
        _replace_fields(self._scaler, self._scaler_fields)
        _replace_fields(self._optimizer, self._fields)
        self._optimizer.lr_scheduler = self._scheduler
        _replace_fields(self._scheduler, self._scheduler_fields)

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
    """Return whether the trainer makes its own KVStore on this machine."""
    kvstore = trainer._kvstore_params["kvstore"]
    given = kvstore is not None and not isinstance(kvstore, str)
    return not given and not _trainer.is_distributed(trainer)


def _copied_fields(target: Any) -> Dict[str, Any]:
    """Copy the attributes together, so that two that share a dict share its copy."""
    fields = getattr(target, "__dict__", {})
    try:
        return copy.deepcopy({k: v for k, v in fields.items() if k not in _BY_REFERENCE})
    except TypeError as error:
        constraint = "a trainer whose optimizer and lr_scheduler can be copied"
        value = f"{type(target).__name__}: {error}"
        remedy = "Move what cannot be copied (a lock, a file, a generator) out of them."
        message = _check.message("preserved", "trainer", constraint, value, remedy)
        raise TypeError(message) from error


def _replace_fields(target: Any, saved: Dict[str, Any]) -> None:
    for name in [k for k in getattr(target, "__dict__", {}) if k not in _BY_REFERENCE]:
        delattr(target, name)
    for name, value in saved.items():
        setattr(target, name, value)
