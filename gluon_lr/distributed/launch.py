"""A scheduler, servers and workers of MXNet's KVStore on this machine, for a trial."""

import contextlib
import ctypes
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from .. import _check

_SERVE = (sys.executable, "-c", "import gluon_lr")  # which serves, by its DMLC_ROLE
_GRACE = 5.0  # seconds between asking a process to end and ending it
_LISTEN = 0.5  # seconds of waiting without an ear for signals
_PR_SET_PDEATHSIG = 1  # of Linux's prctl


class _Process(NamedTuple):
    role: str
    number: int
    popen: "subprocess.Popen[bytes]"


_Event = Union[_Process, int]  # a process has ended, or a signal has come


def launch(
    command: Sequence[str],
    workers: int = 2,
    servers: int = 1,
    env: Optional[Dict[str, str]] = None,
) -> int:
    """Run a command in several workers on this machine, and end all when one of them fails.

    The workers meet by MXNet's variables, DMLC_ROLE and so on, through a scheduler and servers
    that are started too. No process is left behind, whatever happens: when this one is killed,
    Linux ends the others.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments, ``["python", "train.py"]`` say.
    workers, servers : int
        How many of each, at least 1.
    env : dict, optional
        Variables for all of them, on top of this process's. Without an OMP_NUM_THREADS the
        workers share the cores.

    Returns
    -------
    int
        0, or the exit status of the first that failed: 128 and the signal's number for one
        that a signal ended.

    Raises
    ------
    TypeError, ValueError
        On numbers outside their bounds, and an empty command.
    OSError
        Where the command cannot be started.
    """
    if not command or isinstance(command, str):
        constraint = "a program and its arguments, ['python', 'train.py'] say"
        raise ValueError(_check.message("launch", "command", constraint, command))
    workers = _check.integer("launch", "workers", workers, 1)
    servers = _check.integer("launch", "servers", servers, 1)
    common = {
        "OMP_NUM_THREADS": str(max((os.cpu_count() or 1) // workers, 1)),
        **os.environ,
        "DMLC_INTERFACE": "lo",
        "DMLC_PS_ROOT_URI": "127.0.0.1",
        "DMLC_PS_ROOT_PORT": str(_free_port()),
        "DMLC_NUM_WORKER": str(workers),
        "DMLC_NUM_SERVER": str(servers),
        **(env or {}),
    }
    roles: List[Tuple[str, int, Sequence[str]]] = [("scheduler", 1, _SERVE)]
    roles += [("server", servers, _SERVE), ("worker", workers, command)]
    started: List[_Process] = []
    events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
    with _signals_among(events), _all_ended(started):
        for role, count, arguments in roles:
            for number in range(count):
                popen = subprocess.Popen(
                    list(arguments),
                    env={**common, "DMLC_ROLE": role},
                    start_new_session=True,
                    preexec_fn=_end_with_parent,
                )
                started.append(_Process(role, number, popen))
                threading.Thread(target=_tell, args=(started[-1], events), daemon=True).start()
        return _wait(workers, events)


def _wait(workers: int, events: "queue.SimpleQueue[_Event]") -> int:
    """Wait until all workers have ended, or a process has failed; return its exit status."""
    while workers:
        try:
            event = events.get(timeout=_LISTEN)
        except queue.Empty:  # Python hears of a signal that came to another thread only now
            continue
        if event == signal.SIGINT:
            raise KeyboardInterrupt
        if isinstance(event, int):
            sys.exit(128 + event)
        role, number, popen = event
        code = popen.returncode
        if code != 0:
            how = f"was ended by signal {-code}" if code < 0 else f"failed with exit status {code}"
            sys.stderr.write(f"gluon-lr launch: {role} {number} {how}; the others are ended too.\n")
            return int(code if code > 0 else 128 - code)
        workers -= role == "worker"
    return 0


def _tell(process: _Process, events: "queue.SimpleQueue[_Event]") -> None:
    process.popen.wait()
    events.put(process)


@contextlib.contextmanager
def _all_ended(started: Sequence[_Process]) -> Iterator[None]:
    """End, after the block, what is still running, with the processes it has started in turn."""
    try:
        yield
    finally:
        for process in started:
            _signal(process, signal.SIGTERM)
        for process in started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.popen.wait(_GRACE)
        for process in started:
            _signal(process, signal.SIGKILL)
            process.popen.wait()


def _signal(process: _Process, number: int) -> None:
    """Send a signal to a process and to those it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.popen.pid, number)


@contextlib.contextmanager
def _signals_among(events: "queue.SimpleQueue[_Event]") -> Iterator[None]:
    """Put SIGTERM and Ctrl-C among the events within the block, where signals can be handled.

    What a handler raises can be lost: Python ignores exceptions in what it calls after a fork.
    """
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        numbers.remove(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread():
        numbers.clear()
    before = {one: signal.signal(one, lambda number, _: events.put(number)) for one in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    while not events.empty():
        event = events.get()
        if isinstance(event, int):  # it came when all had ended
            signal.raise_signal(event)


def _end_with_parent() -> None:
    """Have Linux kill this process when the one that started it is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
