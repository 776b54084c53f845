"""Access to the private state of a Trainer: its KVStore, updaters and update counts."""

# Gluon has no public names for these. Private names that more than one module needs are used here.

import copy
import os
from typing import Any, Iterable, Iterator, List, Optional, Tuple

import numpy as np

from . import _check
from ._mxnet import as_mx_nd, lay_out_plainly, mx

# FTML and Ftrl divide by the rate; SGLD draws noise with the rate as variance
_NOT_AT_RATE_0 = (mx.optimizer.FTML, mx.optimizer.Ftrl, mx.optimizer.SGLD)


def prepare(trainer: mx.gluon.Trainer) -> None:
    """Create the trainer's KVStore if there is none yet, and initialise it with the weights."""
    if not trainer._kv_initialized:
        trainer._init_kvstore()
    if not is_distributed(trainer):
        trainer._init_params()
        return
    mx.nd.waitall()
    for parameter in trainer._params:
        for array in parameter._data or ():
            lay_out_plainly(array)
    trainer._init_params()
    # Otherwise MXNet may request the first weights after it has sent the first gradients, which
    # the servers then hold in place of the weights.
    mx.nd.waitall()


def hand_states_over(trainer: mx.gluon.Trainer) -> None:
    """Copy the trainer's optimizer states to its KVStore when that is created."""
    if "_init_kvstore" in vars(trainer) or trainer._kv_initialized:
        return
    make = trainer._init_kvstore

    def make_and_hand_over() -> None:
        make()
        store = store_of(trainer)
        if store is not None:
            store._updater.states = dict(trainer._updaters[0].states)
            store._updater.states_synced = dict.fromkeys(store._updater.states, False)

    trainer._init_kvstore = make_and_hand_over


def is_distributed(trainer: mx.gluon.Trainer) -> bool:
    """Return whether a trainer has, or will create, a KVStore of several processes."""
    return "dist" in _store_type(trainer)


def check_updates_here(owner: str, trainer: mx.gluon.Trainer) -> None:
    """Raise a ValueError if the servers of a KVStore update the weights.

    They use a copy of the optimizer, which gets no changes after the first step.
    """
    if not is_distributed(trainer):
        return
    if trainer._kv_initialized:
        on_server = trainer._update_on_kvstore
    else:
        asked = trainer._kvstore_params["update_on_kvstore"]
        by_default = bool(int(os.environ.get("MXNET_UPDATE_ON_KVSTORE", "1")))
        on_server = by_default if asked is None else asked
    if on_server or "async" in _store_type(trainer):
        constraint = "a trainer that updates the weights itself, so that a new rate has an effect"
        value = f"a trainer with update_on_kvstore=True and {_store_type(trainer)}"
        remedy = (
            "Create it with mx.gluon.Trainer(..., kvstore='dist_sync', update_on_kvstore=False); "
            "or pass an lr_scheduler to the optimizer: the servers also use it."
        )
        raise ValueError(_check.message(owner, "trainer", constraint, value, remedy))


def check_rates(owner: str, trainer: mx.gluon.Trainer, lr: Optional[float] = None) -> None:
    """Raise a ValueError if an update at the trainer's rates would make weights not finite.

    This happens at a rate of 0, with optimizers that divide by it. The check changes nothing.

    Parameters
    ----------
    owner : str
        Name of the caller for the error message.
    trainer : mx.gluon.Trainer
        The trainer before the update.
    lr : float, optional
        The rate of the update; by default that of the trainer or of its lr_scheduler.
    """
    optimizer = trainer.optimizer
    if not isinstance(optimizer, _NOT_AT_RATE_0):
        return
    if lr is None:
        scheduler = optimizer.lr_scheduler
        lr = optimizer.lr if scheduler is None else scheduler(optimizer.num_update + 1)
    trained = [one for one in parameters_of(trainer) if one.grad_req != "null"]
    if all(lr * parameter.lr_mult for parameter in trained):
        return
    constraint = f"above 0 for all parameters, because {type(optimizer).__name__} divides by it"
    if isinstance(optimizer, mx.optimizer.Ftrl):
        remedy = (
            "Keep the rate constant: Ftrl's weights are proportional to it, so they also go to 0."
        )
    else:
        remedy = (
            "End the schedule above 0, for example with finish_lr=1e-8 or schedule.clip(low=1e-8)."
        )
    raise ValueError(_check.message(owner, "lr", constraint, 0.0, remedy))


def check_is_not_anothers(owner: str, trainer: mx.gluon.Trainer) -> None:
    """Raise a ValueError if a library other than MXNet adds up the gradients of processes.

    Each process would believe that it is the only one. The processes would stop searches at
    different updates, and their weights would then differ.
    """
    homes = {kind.__module__.partition(".")[0] for kind in type(trainer).__mro__}
    libraries = sorted({*homes, _store_type(trainer).lower()} & {"horovod", "byteps"})
    if libraries:
        constraint = "a trainer whose gradients MXNet's own KVStore sums"
        remedy = (
            "Create it with mx.gluon.Trainer(..., kvstore='dist_sync', update_on_kvstore=False); "
            "or change its rate with an lr_scheduler in its optimizer or with a ParamScheduler: "
            "both work with this trainer."
        )
        value = f"{type(trainer).__name__} of {libraries[0]}"
        raise ValueError(_check.message(owner, "trainer", constraint, value, remedy))


def check_no_compression(owner: str, trainer: mx.gluon.Trainer) -> None:
    """Raise a ValueError if gradients are compressed: all other data would be compressed too."""
    if trainer._compression_params:
        constraint = "a trainer without compression_params if its KVStore is distributed"
        value = trainer._compression_params
        raise ValueError(_check.message(owner, "trainer", constraint, value))


def make_store(trainer: mx.gluon.Trainer) -> Any:
    """Create the distributed KVStore that a trainer will use, and return it."""
    store = trainer._kvstore_params["kvstore"]
    if isinstance(store, str):
        store = trainer._kvstore_params["kvstore"] = mx.kv.create(store)
    return store


def _store_type(trainer: mx.gluon.Trainer) -> str:
    store = trainer._kvstore_params["kvstore"]
    return store if isinstance(store, str) else getattr(store, "type", "")


def store_of(trainer: mx.gluon.Trainer) -> Optional[Any]:
    """Return the KVStore that updates the weights; None if the trainer does, or if none exists."""
    return trainer._kvstore if trainer._update_on_kvstore else None


def updaters_of(trainer: mx.gluon.Trainer) -> List[Any]:
    """Return the updaters with the optimizer's states: the KVStore's, or one per context."""
    store = store_of(trainer)
    return [store._updater] if store else trainer._updaters


def forget_updates(trainer: mx.gluon.Trainer) -> None:
    """Reset the optimizer: delete its states, and set its counts as before the first update."""
    for updater in updaters_of(trainer):
        updater.states.clear()
        updater.states_synced.clear()
    optimizer = trainer.optimizer
    for counts in optimizer._all_index_update_counts.values():
        counts.clear()
    _begin_to_count(optimizer)


def _begin_to_count(optimizer: mx.optimizer.Optimizer) -> None:
    optimizer.num_update = optimizer.begin_num_update
    if isinstance(optimizer, mx.optimizer.Nadam):
        optimizer.m_schedule = 1.0


def exchange_optimizer(trainer: mx.gluon.Trainer, optimizer: mx.optimizer.Optimizer) -> None:
    """Replace the trainer's optimizer, as load_states does; the new one starts without states."""
    optimizer.param_dict = dict(enumerate(trainer._params))
    shares = vars(trainer.optimizer).get("_gluon_lr_shares")
    if shares:  # the multipliers of the groups' parameters include them
        optimizer._gluon_lr_shares = shares
    trainer._optimizer = optimizer
    for updater in updaters_of(trainer):
        updater.optimizer = optimizer
        updater.aggregate_updates = type(updater)(optimizer).aggregate_updates
    forget_updates(trainer)


def begun_anew(optimizer: mx.optimizer.Optimizer) -> mx.optimizer.Optimizer:
    """Return an optimizer with the same hyper-parameters, for other weights."""
    fresh = copy.copy(optimizer)
    _begin_to_count(fresh)
    fresh._all_index_update_counts = {0: {}}
    fresh._index_update_count = fresh._all_index_update_counts[0]
    fresh.idx2name, fresh.param_dict, fresh.lr_mult, fresh.wd_mult = {}, {}, {}, {}
    for own in ("update_multi_precision", "_gluon_lr_shares"):  # they belong to the old groups
        vars(fresh).pop(own, None)
    return fresh


def write_to_store(store: Any, weights: Iterable[Tuple[int, mx.nd.NDArray]], updater: Any) -> None:
    """Write weights into a KVStore by their indices; `updater` is its updater afterwards.

    A KVStore initialises a key only once. Later pushes go through its updater, so a temporary
    updater stores what is pushed. Python ignores exceptions in an updater. If Ctrl-C came there,
    its weight is missing, and KeyboardInterrupt is raised here.
    """
    written = set()

    def write(index: int, pushed: mx.nd.NDArray, weight: mx.nd.NDArray) -> None:
        pushed.copyto(weight)
        written.add(index)

    store._set_updater(write)
    try:
        for index, weight in weights:
            store.push(index, weight)
            if index not in written:
                raise KeyboardInterrupt
    finally:
        store._set_updater(updater)


def copy_to_states(trainer: mx.gluon.Trainer) -> None:
    """Copy half-precision weights to the full-precision copies that the optimizer updates."""
    optimizer = trainer.optimizer
    for number, updater in enumerate(updaters_of(trainer)):
        for index, state in updater.states.items():
            weight = as_mx_nd(trainer._params[index].list_data()[number])
            if not (optimizer.multi_precision and weight.dtype == np.float16):
                continue
            of_ones = optimizer.create_state_multi_precision(index, weight.ones_like())
            for array, ones in zip(_flat(state), _flat(of_ones)):
                if array.shape == weight.shape and (ones.asnumpy() == 1).all():
                    array[:] = weight.astype(array.dtype)


def _flat(state: Any) -> Iterator[Any]:
    """Yield the arrays of an optimizer's state."""
    if isinstance(state, (tuple, list)):
        for one in state:
            yield from _flat(one)
    elif state is not None:
        yield state


def parameters_of(trainer: mx.gluon.Trainer) -> List[mx.gluon.Parameter]:
    """Return the trainer's parameters; their order gives the optimizer's indices."""
    return list(trainer._params)


def loss_scaler_of(trainer: mx.gluon.Trainer) -> Optional[Any]:
    """Return the loss scaler of mixed precision, which `amp.init_trainer` sets, or None."""
    return getattr(trainer, "_amp_loss_scaler", None)


def scale_of(trainer: mx.gluon.Trainer) -> float:
    """Return the factor of a trainer for gradients, apart from the division by the batch size."""
    return float(trainer._scale)


class UpdateCounter:
    """Counts the real updates of a trainer, without those that AMP skips.

    Parameters
    ----------
    trainer : mx.gluon.Trainer
        Its optimizer may be replaced, for example by ``load_states``.
    start : int
        First value of the count.
    """

    def __init__(self, trainer: mx.gluon.Trainer, start: int = 0) -> None:
        self._trainer = trainer
        self._count = start
        self._seen = self._all()

    @property
    def count(self) -> int:
        """The number of updates so far; read it after each update, or some are missed."""
        counts = self._all()
        self._count += counts != self._seen
        self._seen = counts
        return self._count

    def _all(self) -> int:
        by_device = self._trainer.optimizer._all_index_update_counts.values()
        return sum(sum(counts.values()) for counts in by_device)


def arrays_in(states: Iterable[Any]) -> Iterator[mx.nd.NDArray]:
    """Yield the arrays in optimizer states; a state is None, an array, or a tuple of states."""
    for state in states:
        if isinstance(state, mx.nd.NDArray):
            yield state
        elif isinstance(state, (tuple, list)):
            yield from arrays_in(state)
