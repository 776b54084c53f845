"""How good a setting is that `compare` picks: `python -m benchmarks.compared`.

Each task is trained at three weight decays by three momenta, each over a grid of rates: the truth.
"""

import sys
from itertools import islice, product
from pathlib import Path
from typing import Dict, List, NamedTuple

from tqdm import tqdm

from .cases import JUDGED, Case
from .memory import Memory
from .random_tasks import random_tasks
from .tasks import Task

FILE = Path(__file__).with_name("compared.json.gz")
LENGTH = 250
CHOSEN_ON, REPORTED_ON = 41, 42  # what the tasks are drawn from
TASKS, CANDIDATES = 20, 200
MOMENTUM = {"sgd": "momentum", "nag": "momentum", "adam": "beta1", "nadam": "beta1"}
DECAYS, MOMENTA = (0.0, 1e-4, 1e-3), (0.8, 0.9, 0.95)


class Setting(NamedTuple):
    """One of the grid."""

    wd: float
    mom: float


SETTINGS = [Setting(*pair) for pair in product(DECAYS, MOMENTA)]


class Grid:
    """A task at all settings.

    Parameters
    ----------
    task : Task
        By an optimizer with a momentum.
    memory : Memory
        What has been trained before.
    """

    def __init__(self, task: Task, memory: Memory) -> None:
        self.task = task
        self.cases: Dict[Setting, Case] = {
            setting: Case(with_setting(task, setting), 0, LENGTH, memory) for setting in SETTINGS
        }

    def losses(self, order: int) -> Dict[Setting, List[float]]:
        """Return the loss of each setting at each rate."""
        return {setting: case.truth(order).losses for setting, case in self.cases.items()}


def with_setting(task: Task, setting: Setting) -> Task:
    """Return the task with another weight decay and momentum."""
    params = {**(task.optimizer_params or {}), "wd": setting.wd}
    params[MOMENTUM[task.optimizer]] = setting.mom
    name = f"{task.name} / wd {setting.wd:g} / mom {setting.mom:g}"
    return task._replace(name=name, optimizer_params=params)


def tasks_of(seed: int, memory: Memory) -> List[Task]:
    """Return the first random tasks with a momentum that a rate matters in."""
    drawn = random_tasks(seed, CANDIDATES)
    usable = (one for one in drawn if has_momentum(one) and rate_matters(one, memory))
    return list(islice(usable, TASKS))


def has_momentum(task: Task) -> bool:
    """Say whether the task's optimizer has one."""
    plain = task.optimizer == "sgd" and not (task.optimizer_params or {}).get("momentum")
    return task.optimizer in MOMENTUM and not plain


def rate_matters(task: Task, memory: Memory) -> bool:
    """Say whether the best rate is at least 10 % better than the smallest, as the task is."""
    truth = Case(with_setting(task, Setting(0.0, 0.9)), 0, LENGTH, memory).truth()
    return truth.best < 0.9 * truth.losses[0]


def main() -> int:
    memory = Memory(FILE, sys.argv[2] if len(sys.argv) > 2 else "")
    for task in tqdm(tasks_of(int(sys.argv[1]), memory)):
        grid = Grid(task, memory)
        grid.losses(JUDGED)
    memory.save()
    return 0


if __name__ == "__main__":
    sys.exit(main())
