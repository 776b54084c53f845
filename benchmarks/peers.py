"""What torch's schedules and two finders for it cost: `PYTHON -m benchmarks.peers`.

Runs on torch, torch-lr-finder and fastai, in an environment of their own, and not on MXNet. The
nets, the batches and the bare loop are those of `finder_overhead`, written in torch. Prints rows
for `python -m benchmarks --peers PYTHON`.
"""

import contextlib
import io
import os
import platform
import tempfile
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Callable, Iterator, Tuple

import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

from . import baseline
from .baseline import BATCHES, ITERATIONS, LAST, LR_END, LR_START, RATES, Rate, in_order
from .measure import Action, Row, attempted, compared, in_updates, ratios, say


def versions() -> Iterator[Row]:
    """Say what is measured."""
    found = [f"Python {platform.python_version()}"]
    for name in ("torch", "torch-lr-finder", "fastai"):
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    yield Row(", ".join(found))


# -- schedules -----------------------------------------------------------------------------------


def stepping(
    scheduler: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler],
) -> Callable[[], Rate]:
    """Make functions that step a new scheduler; what they are asked for does not matter."""

    def make() -> Rate:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        step = scheduler(optimizer).step
        optimizer.step()  # as torch wants it, before the first of the scheduler
        return lambda _: step()

    return make


def schedules() -> Iterator[Row]:
    """Compare one step of torch's schedules with a pure function of the same shape."""

    def warm_up_and_cosine(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        parts = [
            lr_scheduler.LinearLR(optimizer, 0.01, total_iters=50),
            lr_scheduler.CosineAnnealingLR(optimizer, LAST - 50),
        ]
        return lr_scheduler.SequentialLR(optimizer, parts, milestones=[50])

    one_cycle = partial(
        lr_scheduler.OneCycleLR,
        max_lr=1.0,
        total_steps=LAST + 1,
        pct_start=0.45,
        div_factor=10,
        anneal_strategy="linear",
        three_phase=True,
        cycle_momentum=False,
    )
    for name, scheduler, bare in (
        ("CosineAnnealingLR", partial(lr_scheduler.CosineAnnealingLR, T_max=LAST), baseline.cosine),
        ("OneCycleLR", one_cycle, baseline.one_cycle),
        ("StepLR", partial(lr_scheduler.StepLR, step_size=100, gamma=0.9), baseline.steps),
        ("SequentialLR, warm-up, cosine", warm_up_and_cosine, baseline.warm_up_and_cosine),
    ):
        figures = ratios(in_order(stepping(scheduler)), in_order(lambda bare=bare: bare))
        yield compared(f"torch's {name}, {LAST} steps", "bare Python function", figures)


# -- finders -------------------------------------------------------------------------------------


def make_net(name: str) -> nn.Module:
    """Make the net of `finder_overhead`."""
    if name == "MLP":
        hidden = [nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()]
        return nn.Sequential(*hidden, nn.Linear(256, 10))
    layers = []
    for before, channels in ((1, 16), (16, 32)):
        layers += [nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 8 * 8, 10))


def make_task(name: str) -> Tuple[nn.Module, nn.Module, DataLoader]:
    """Make a net, a loss and a loader of as many batches as a search takes, all in memory."""
    torch.manual_seed(0)
    shape = BATCHES[name]
    batches = [(torch.rand(*shape), torch.randint(0, 10, shape[:1])) for _ in range(4)]
    loader = DataLoader(batches * (ITERATIONS // 4), batch_size=None)
    return make_net(name), nn.CrossEntropyLoss(), loader


def make_optimizer(net: nn.Module) -> torch.optim.Optimizer:
    """Make the optimizer of `finder_overhead`."""
    return torch.optim.SGD(net.parameters(), lr=LR_START, momentum=0.9)


def bare_loop(name: str) -> Action:
    """Return a loop that trains as one would by hand, without reading the loss."""
    net, loss_function, loader = make_task(name)
    optimizer = make_optimizer(net)

    def bare() -> None:
        for lr, (data, label) in zip(RATES, loader):
            optimizer.zero_grad()
            loss_function(net(data), label).backward()
            optimizer.param_groups[0]["lr"] = lr
            optimizer.step()

    return bare


def beside_bare_loops(what: str, make_search: Callable[[str], Action]) -> Iterator[Row]:
    """Compare the searches with bare loops."""
    for name in BATCHES:
        bare, search = bare_loop(name), make_search(name)
        beside = in_updates("bare torch loop", bare, ITERATIONS)
        yield compared(f"{name}: {what}, per update", beside, ratios(search, bare))


def torch_lr_finder() -> Iterator[Row]:
    """Time torch-lr-finder's search, its snapshot and its restore with it."""
    from torch_lr_finder import LRFinder

    def make_search(name: str) -> Action:
        net, loss_function, loader = make_task(name)
        optimizer = make_optimizer(net)

        def search() -> None:
            finder = LRFinder(net, optimizer, loss_function)
            with contextlib.redirect_stdout(io.StringIO()):
                finder.range_test(loader, end_lr=LR_END, num_iter=ITERATIONS)
            finder.reset()
            assert len(finder.history["loss"]) == ITERATIONS

        return search

    yield from beside_bare_loops("torch-lr-finder's range_test", make_search)


def fastai(directory: str) -> Iterator[Row]:
    """Time fastai's search, with torch's own optimizer; it writes its snapshot to a file."""
    from fastai.basics import DataLoaders, Learner, OptimWrapper
    from fastai.callback import schedule  # noqa: F401  (which gives Learner its lr_find)

    def make_search(name: str) -> Action:
        net, loss_function, loader = make_task(name)
        optimizer = partial(OptimWrapper, opt=partial(torch.optim.SGD, momentum=0.9))
        loaders = DataLoaders(loader, loader)
        learner = Learner(loaders, net, loss_function, opt_func=optimizer, path=directory)

        def search() -> None:
            with learner.no_bar(), learner.no_logging():
                learner.lr_find(LR_START, LR_END, num_it=ITERATIONS, show_plot=False)
            assert len(learner.recorder.losses) == ITERATIONS

        return search

    yield from beside_bare_loops("fastai's lr_find", make_search)


def rows() -> Iterator[Row]:
    """Yield all rows; for a library that is missing, one that says so."""
    yield from versions()
    with tempfile.TemporaryDirectory() as directory:
        for part in (schedules, torch_lr_finder, partial(fastai, directory)):
            yield from attempted(part)


if __name__ == "__main__":
    os.environ["TQDM_DISABLE"] = "1"  # no progress bars, as in ours
    say(rows())
