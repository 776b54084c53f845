"""A scheduler, servers and workers of MXNet's KVStore on this machine, for a trial."""

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

_SERVE = (sys.executable, "-c", "import gluon_lr")  # which serves, by its DMLC_ROLE
_WATCH = (sys.executable, "-I", "-S", watcher.__file__)  # by path: it starts in 30 ms
_GRACE = 5.0  # seconds between asking processes to end and ending them
_LISTEN = 0.5  # seconds of waiting without an ear for signals


class _End(NamedTuple):
    role: str
    number: int
    code: int  # of exit, or a signal's below 0


_Event = Union[_End, int]  # a process has ended, or a signal has come
_Started = List[Tuple[str, "subprocess.Popen[bytes]", threading.Thread]]  # and who tells its end


def launch(
    command: Sequence[str],
    workers: int = 2,
    servers: int = 1,
    env: Optional[Dict[str, str]] = None,
) -> int:
    """Run a command in several workers on this machine, and end all when one of them fails.

    The workers meet by MXNet's variables, DMLC_ROLE and so on, through a scheduler and servers
    that are started too, all of them on the loopback interface. Each is the first process of a
    session. No process of these sessions is left behind, whatever happens: when this one is
    killed, a process that watches over them kills the others.

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
        On numbers outside their bounds, the one in GLUON_LR_TIMEOUT too, and an empty command.
    OSError
        Where the command cannot be started, and where there is no Linux.
    """
    if not Path("/proc/self/stat").exists():
        raise OSError("launch: needs Linux's /proc, to end all that it starts.")
    if not command or isinstance(command, str):
        constraint = "a program and its arguments, ['python', 'train.py'] say"
        raise ValueError(_check.message("launch", "command", constraint, command))
    workers = _check.integer("launch", "workers", workers, 1)
    servers = _check.integer("launch", "servers", servers, 1)
    common = {
        "OMP_NUM_THREADS": str(max((os.cpu_count() or 1) // workers, 1)),
        **os.environ,
        "DMLC_NODE_HOST": "127.0.0.1",
        "DMLC_USE_KUBERNETES": "0",  # which would listen to all the world
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
        except queue.Empty:  # Python hears of a signal that came to another thread only now
            continue
        if event == signal.SIGINT:
            raise KeyboardInterrupt
        if isinstance(event, int):
            sys.exit(128 + event)
        role, number, code = event
        if code != 0:
            how = f"was ended by signal {-code}" if code < 0 else f"failed with exit status {code}"
            sys.stderr.write(f"gluon-lr launch: {role} {number} {how}; the others are ended too.\n")
            return code if code > 0 else 128 - code
        workers -= role == "worker"
    return 0


def _tell(role: str, number: int, pid: int, events: "queue.SimpleQueue[_Event]") -> None:
    """Tell of the end of a process, which keeps its number from others: it is not reaped yet."""
    end: Any = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    exited = end.si_code == os.CLD_EXITED
    events.put(_End(role, number, end.si_status if exited else -end.si_status))


@contextlib.contextmanager
def _all_ended(started: _Started) -> Iterator[Callable[[], None]]:
    """End, after the block, what is still running, with the processes it has started in turn.

    The workers end first: what they do before that, save their work say, may need the others.
    The block has a function that a new process calls, as the first of its session. Only then is
    it safe from being left behind.
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
    """Put SIGTERM and Ctrl-C among the events within the block, where signals can be handled.

    What a handler raises can be lost: Python ignores exceptions in what it calls after a fork.
    """
    handlers: Dict[int, Any] = {
        number: lambda number, _: events.put(number) for number in (signal.SIGTERM, signal.SIGINT)
    }
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        del handlers[signal.SIGINT]
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # Linux would keep no exit status
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
        if isinstance(event, int):  # it came when all had ended
            signal.raise_signal(event)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
