"""The rates of other libraries' schedules: `PYTHON -m benchmarks.peer_schedules`.

Runs on torch, optax, timm, Keras and transformers, in an environment of their own, and not on
MXNet. Asks for each call in the tables of docs/guide/peers.md, and writes peer_schedules.json,
with which `tests/schedules/test_peer_values.py` compares what those tables have for it here.
"""

import importlib
import json
import os
import re
import warnings
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, NamedTuple

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "guide" / "peers.md"
FILE = Path(__file__).with_name("peer_schedules.json")
LR = 0.8  # of the optimizer
COUNT = 120  # rates of each schedule, from 0 on
METRICS = [2 * 0.9**t if t < 20 else 0.25 - 0.001 * t for t in range(COUNT)]  # for plateaus


class Line(NamedTuple):
    """A line of the tables: a call in `peer`, ours for it, and our count at the peer's `t`."""

    peer: str
    call: str
    ours: str
    count: str


def lines() -> Iterator[Line]:
    """Yield the lines of the tables; the heading above a table names the peer."""
    page = PAGE.read_text(encoding="utf-8")
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        peer = part.split("\n")[0]
        for cells in re.findall(r"^\| `(.+?)` \| `(.+?)` \| `(.+?)` \|$", part, re.MULTILINE):
            yield Line(peer, *cells)


def names(*modules: str) -> Dict[str, Any]:
    """Return all that the modules have, by name."""
    found: Dict[str, Any] = {}
    for module in modules:
        found.update(vars(importlib.import_module(module)))
    return found


# -- the peers -----------------------------------------------------------------------------------


def stepped(call: str, **known: Any) -> List[float]:
    """Walk a schedule that sets the rate of torch's optimizer."""
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    scheduler = eval(call, {**known, "optimizer": optimizer})
    rates = []
    for t in range(COUNT):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if "Plateau" in type(scheduler).__name__:
            scheduler.step(METRICS[t])
        else:
            scheduler.step()
    return rates


def of_torch(call: str) -> List[float]:
    """Return the rates of one of torch's."""
    return stepped(call, **names("torch.optim.lr_scheduler", "torch.optim.swa_utils"))


def of_transformers(call: str) -> List[float]:
    """Return the rates of one of transformers', which are torch's."""
    return stepped(call, **names("transformers.optimization"))


def of_timm(call: str) -> List[float]:
    """Return the rates of one of timm's, which is told the number of the epoch that comes."""
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    scheduler = eval(call, {**names("timm.scheduler"), "optimizer": optimizer})
    rates = []
    for t in range(COUNT):
        rates.append(optimizer.param_groups[0]["lr"])
        scheduler.step(t + 1, METRICS[t])
    return rates


def asked(schedule: Callable[[int], Any]) -> List[float]:
    """Ask a function of the update."""
    import jax

    compiled = jax.jit(schedule)
    return [float(compiled(t)) for t in range(COUNT)]


def of_optax(call: str) -> List[float]:
    """Return the rates of one of optax's, a function or a transformation of updates."""
    import jax.numpy as jnp

    schedule = eval(call, names("optax.schedules", "optax.contrib"))
    if callable(schedule):
        return asked(schedule)
    rates, state = [], schedule.init(jnp.zeros(1))
    for t in range(COUNT):
        rates.append(LR * float(state.scale))
        _, state = schedule.update(jnp.zeros(1), state, value=METRICS[t])
    return rates


def of_keras(call: str) -> List[float]:
    """Return the rates of one of Keras', a function or a callback."""
    schedule = eval(call, names("keras.optimizers.schedules", "keras.callbacks"))
    if callable(schedule):
        return asked(schedule)
    rates, optimizer = [], SimpleNamespace(learning_rate=LR)
    schedule.set_model(SimpleNamespace(optimizer=optimizer))
    schedule.on_train_begin()
    for t in range(COUNT):
        schedule.on_epoch_begin(t)
        rates.append(float(optimizer.learning_rate))
        schedule.on_epoch_end(t, {"val_loss": METRICS[t]})
    return rates


RATES: Dict[str, Callable[[str], List[float]]] = {
    "torch": of_torch,
    "optax": of_optax,
    "timm": of_timm,
    "keras": of_keras,
    "transformers": of_transformers,
}


def main() -> None:
    """Write the rates of all calls, a call to a line, and the versions of the peers."""
    os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu", JAX_ENABLE_X64="1")
    importlib.import_module("keras").config.set_floatx("float64")
    warnings.simplefilter("ignore")
    versions = {peer: version(peer) for peer in RATES}
    rates: Dict[str, List[str]] = {peer: [] for peer in RATES}
    for line in lines():
        found = [float(f"{rate:.10g}") for rate in RATES[line.peer](line.call)]
        rates[line.peer].append(f"{json.dumps(line.call)}: {json.dumps(found)}")
    parts = [f"{json.dumps(peer)}: {{\n" + ",\n".join(some) + "\n}" for peer, some in rates.items()]
    body = ",\n".join(parts)
    FILE.write_text(f'{{"versions": {json.dumps(versions)},\n"rates": {{\n{body}\n}}}}\n')
    print(", ".join(f"{peer} {one}: {len(rates[peer])}" for peer, one in versions.items()))


if __name__ == "__main__":
    main()
