"""Workers of a KVStore as forks of the tests' process, which has imported MXNet already."""

import multiprocessing
import os

from together import LONGEST

from gluon_lr._mxnet import mx, serve
from gluon_lr.distributed import launch

FORK = multiprocessing.get_context("fork")


def fork_workers(work, workers=2, **variables):
    """Run `work()` in so many workers, beside a scheduler and a server; return their exit codes.

    What they write goes where this process writes, `capfd` has it.
    """
    meeting = {
        "DMLC_NODE_HOST": "127.0.0.1",
        "DMLC_PS_ROOT_URI": "127.0.0.1",
        "DMLC_PS_ROOT_PORT": str(launch._free_port()),
        "DMLC_NUM_SERVER": "1",
        "DMLC_NUM_WORKER": str(workers),
    }

    def play(role):
        os.environ.update({**meeting, "DMLC_ROLE": role, **variables})
        serve()  # and ends with that, unless it is a worker
        with mx.name.NameManager():
            work()

    roles = ["scheduler", "server", *["worker"] * workers]
    processes = [FORK.Process(target=play, args=(role,)) for role in roles]
    try:
        for process in processes:
            process.start()
        for process in processes[2:]:
            process.join(LONGEST)
        return sorted(process.exitcode for process in processes[2:])
    finally:
        for process in processes:
            if process.pid is not None:
                process.kill()
                process.join()
