"""A copy of a DataLoader with another batch size."""

from typing import Any

from .. import _check
from .._mxnet import draws_indices, mx
from .sampler import ContinuousBatchSampler


def of_batch_size(owner: str, loader: Any, batch_size: int) -> Any:
    """Return a DataLoader with the same dataset and sampler, but another batch size.

    Raises
    ------
    TypeError
        If `loader` is not a DataLoader, or has a custom batch sampler.
    """
    batch_sampler: Any = loader._batch_sampler if draws_indices(loader) else None
    if type(batch_sampler) is ContinuousBatchSampler:
        resized: Any = ContinuousBatchSampler(batch_sampler._sampler, batch_size)
    elif type(batch_sampler) is mx.gluon.data.BatchSampler:
        last_batch = batch_sampler._last_batch
        resized = mx.gluon.data.BatchSampler(batch_sampler._sampler, batch_size, last_batch)
    else:
        constraint = "given if `data_loader` is not a DataLoader with one of MXNet's samplers"
        remedy = "Pass make_loader=lambda batch_size: DataLoader(dataset, batch_size, ...)."
        raise TypeError(_check.message(owner, "make_loader", constraint, None, remedy))
    python = {"try_nopython": False} if hasattr(loader, "_mx_iter") else {}
    return mx.gluon.data.DataLoader(
        loader._dataset,
        batch_sampler=resized,
        batchify_fn=loader._batchify_fn,
        num_workers=loader._num_workers,
        pin_memory=loader._pin_memory,
        pin_device_id=loader._pin_device_id,
        prefetch=loader._prefetch,
        thread_pool=loader._thread_pool,
        timeout=loader._timeout,
        **python,
    )
