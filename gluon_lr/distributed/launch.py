"""A scheduler, servers and workers of MXNet's KVStore on one machine, to try things out."""

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from .. import _check
from . import watcher
from .exchange import seconds_to_wait

_SERVE = (sys.executable, "-c", "import gluon_lr")  # the import serves, as DMLC_ROLE asks
_WATCH = (sys.executable, "-I", "-S", watcher.__file__)  # by path: it starts in 30 ms
_GRACE = 5.0  # seconds between SIGTERM and SIGKILL
_LISTEN = 0.5  # seconds of waiting between checks for signals


class _End(NamedTuple):
    role: str
    number: int
    code: int  # exit status, or minus the number of a signal


_Event = Union[_End, int]  # the end of a process, or a signal
_Started = List[Tuple[str, "subprocess.Popen[bytes]", threading.Thread]]  # thread: _tell


def launch(
    command: Sequence[str],
    workers: int = 2,
    servers: int = 1,
    env: Optional[Dict[str, str]] = None,
) -> int:
    """Run a command in several workers on this machine, and end all when one of them fails.

    This also starts a scheduler and servers, all on the loopback interface. The workers find them
    by MXNet's environment variables, such as DMLC_ROLE. Each process is the first of a new
    session. No process of these sessions is left behind: even if this process is killed, a
    separate watcher process kills the others.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments, for example ``["python", "train.py"]``.
    workers, servers : int
        How many of each, at least 1.
    env : dict, optional
        Environment variables for all of them, in addition to this process's. If OMP_NUM_THREADS
        is not set, the cores are divided between the workers.

    Returns
    -------
    int
        0, or the exit status of the first process that failed. If a signal ended it, this is 128
        plus the number of the signal.

    Raises
    ------
    TypeError, ValueError
        If a number is outside its bounds, also in GLUON_LR_TIMEOUT, or the command is empty.
    OSError
        If the command cannot be started, or the system is not Linux.
    """
    if not Path("/proc/self/stat").exists():
        raise OSError(
            "launch: works only on Linux: it needs /proc to end all processes that it started."
        )
    if not command or isinstance(command, str):
        constraint = "a program and its arguments, for example ['python', 'train.py']"
        raise ValueError(_check.message("launch", "command", constraint, command))
    workers = _check.integer("launch", "workers", workers, 1)
    servers = _check.integer("launch", "servers", servers, 1)
    common = {
        "OMP_NUM_THREADS": str(max((os.cpu_count() or 1) // workers, 1)),
        **os.environ,
        "DMLC_NODE_HOST": "127.0.0.1",
        "DMLC_USE_KUBERNETES": "0",  # otherwise it listens on all interfaces
        "DMLC_PS_ROOT_URI": "127.0.0.1",
        "DMLC_PS_ROOT_PORT": str(_free_port()),
        "DMLC_NUM_WORKER": str(workers),
        "DMLC_NUM_SERVER": str(servers),
        **(env or {}),
    }
    seconds_to_wait("launch", common)
    roles: List[Tuple[str, int, Sequence[str]]] = [("scheduler", 1, _SERVE)]
    roles += [("server", servers, _SERVE), ("worker", workers, command)]
    started: _Started = []
    events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
    with _signals_among(events), _all_ended(started) as announce:
        for role, count, arguments in roles:
            for number in range(count):
                popen = subprocess.Popen(
                    list(arguments),
                    env={**common, "DMLC_ROLE": role},
                    start_new_session=True,
                    preexec_fn=announce,
                )
                telling = (role, number, popen.pid, events)
                thread = threading.Thread(target=_tell, args=telling, daemon=True)
                started.append((role, popen, thread))
                thread.start()
        return _wait(workers, events)


def _wait(workers: int, events: "queue.SimpleQueue[_Event]") -> int:
    """Wait until all workers have ended, or a process has failed; return its exit status."""
    while workers:
        try:
            event = events.get(timeout=_LISTEN)
        except queue.Empty:  # now Python can handle a signal sent to another thread
            continue
        if event == signal.SIGINT:
            raise KeyboardInterrupt
        if isinstance(event, int):
            sys.exit(128 + event)
        role, number, code = event
        if code != 0:
            how = f"was ended by signal {-code}" if code < 0 else f"failed with exit status {code}"
            sys.stderr.write(f"gluon-lr launch: {role} {number} {how}; all others are stopped.\n")
            return code if code > 0 else 128 - code
        workers -= role == "worker"
    return 0


def _tell(role: str, number: int, pid: int, events: "queue.SimpleQueue[_Event]") -> None:
    """Report the end of a process, without reaping it, so that its number is not reused."""
    end: Any = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    exited = end.si_code == os.CLD_EXITED
    events.put(_End(role, number, end.si_status if exited else -end.si_status))


@contextlib.contextmanager
def _all_ended(started: _Started) -> Iterator[Callable[[], None]]:
    """At the end of the block, end all processes still running, and all that they have started.

    The workers end first, because they may need the others before that, for example to save their
    work. The block gets a function that each new process must call, as the first of its session.
    After this call the process cannot be left behind.
    """
    watching: Any = subprocess.Popen(_WATCH, stdin=subprocess.PIPE, start_new_session=True)
    pipe = watching.stdin.fileno()
    try:
        yield lambda: _announce(pipe)
    finally:
        watcher.end({popen.pid for role, popen, _ in started if role == "worker"}, _GRACE)
        watcher.end({popen.pid for _, popen, _ in started}, _GRACE)
        watching.communicate(watcher.NO_MORE)
        for _, popen, telling in started:
            telling.join()
            popen.wait()


def _announce(pipe: int) -> None:
    os.write(pipe, b"%d\n" % os.getpid())


@contextlib.contextmanager
def _signals_among(events: "queue.SimpleQueue[_Event]") -> Iterator[None]:
    """Put SIGTERM and Ctrl-C into the queue of events within the block, in the main thread.

    Handlers do not raise exceptions here, because Python ignores those in its hooks after a fork.
    """
    handlers: Dict[int, Any] = {
        number: lambda number, _: events.put(number) for number in (signal.SIGTERM, signal.SIGINT)
    }
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        del handlers[signal.SIGINT]
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # else Linux keeps no exit status
        handlers[signal.SIGCHLD] = signal.SIG_DFL
    if threading.current_thread() is not threading.main_thread():
        handlers.clear()
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    while not events.empty():
        event = events.get()
        if isinstance(event, int):  # it arrived after all had ended
            signal.raise_signal(event)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
