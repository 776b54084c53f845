"""The launcher: how what it started ends."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from processes import LAUNCH, run
from together import LONGEST

from gluon_lr.distributed import launch


@pytest.mark.parametrize("how", ["exit 3", "kill -9 $$"])
def test_a_failure_ends_all(how, capfd):
    # the first to make the directory fails, the other would sleep for longer than the test lasts
    script = f"mkdir failed 2>/dev/null && {how}; exec sleep 10000"
    assert launch.launch(["sh", "-c", script]) == (3 if how == "exit 3" else 137)
    assert "all others are stopped" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("number", "script", "status"),
    [
        # in a process group of its own
        (signal.SIGTERM, "set -m; sleep 10000 & echo started; wait", 143),
        # where nobody hears of the first signal
        (signal.SIGINT, "trap '' TERM; echo started; sleep 10000", 130),
        # also where the first process of the session has ended
        (signal.SIGKILL, "set -m; sleep 10000 & echo started; mkdir one && exit; wait", -9),
    ],
)
def test_the_end_of_the_launcher_is_the_end_of_all(number, script, status):
    process = subprocess.Popen(
        [*LAUNCH, "bash", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert [process.stdout.readline() for _ in range(2)] == ["started\n"] * 2
        process.send_signal(number)
        rest, errors = process.communicate(timeout=LONGEST)
    finally:
        process.kill()
    assert rest == ""
    assert process.returncode == status
    assert "Traceback" not in errors


def test_a_launcher_that_is_killed_while_it_starts_a_worker_leaves_nobody():
    code = """
import os, signal
from gluon_lr.distributed.launch import launch

def die():
    if next(is_worker):
        os.kill(os.getpid(), signal.SIGKILL)

is_worker = iter([False, False, True])
os.register_at_fork(after_in_parent=die)
launch(["sleep", "10000"], 1)
"""
    assert run([sys.executable, "-c", code]) == (-9, "")


def test_what_a_worker_leaves_running_ends_with_the_launch():
    os.mkfifo("held")
    held = os.open("held", os.O_RDONLY | os.O_NONBLOCK)
    assert launch.launch(["bash", "-c", "set -m; sleep 10000 > held &"]) == 0
    assert os.read(held, 1) == b""  # an error while anybody has it open
    os.close(held)


def listening_addresses(processes):
    """Return the addresses, in hexadecimal, on which processes wait for connections."""
    sockets = {
        os.readlink(file)
        for process in processes
        for file in Path(f"/proc/{process}/fd").iterdir()
        if file.is_symlink()
    }
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [row.split() for table in tables for row in table]
    return [
        row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets
    ]


def children_of(parent):
    stats = {path.parent.name: path.read_text() for path in Path("/proc").glob("[0-9]*/stat")}
    return [pid for pid, stat in stats.items() if stat.rpartition(")")[2].split()[1] == str(parent)]


def test_all_listen_to_this_machine_alone():
    code = """
import os, sys
from gluon_lr._mxnet import mx
store = mx.kv.create("dist_sync")
os.write(1, b"ready\\n")
sys.stdin.read()
del store
"""
    elsewhere = {"DMLC_NODE_HOST": "0.0.0.0", "DMLC_USE_KUBERNETES": "1"}
    process = subprocess.Popen(
        [*LAUNCH, sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **elsewhere},
    )
    try:
        assert [process.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
        addresses = listening_addresses(children_of(process.pid))
        process.communicate(timeout=LONGEST)
    finally:
        process.kill()
    assert addresses == ["0100007F"] * 4  # 127.0.0.1, of the scheduler, server and workers
    assert process.returncode == 0


def test_a_signal_that_comes_to_another_thread_is_heard_too():
    os.mkfifo("started")

    def send():
        Path("started").read_text()  # waits for the writer
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    threading.Thread(target=send).start()
    with pytest.raises(SystemExit, match="143"):
        launch.launch(["sh", "-c", "echo > started; exec sleep 10000"], 1)


def test_a_signal_that_comes_while_a_process_is_started_is_heard_too():
    coming = [signal.SIGTERM]

    def come():
        while coming:
            signal.raise_signal(coming.pop())

    os.register_at_fork(after_in_parent=come)  # where Python ignores what is raised
    with pytest.raises(SystemExit, match="143"):
        launch.launch(["sleep", "30"], 1)


def test_a_signal_that_comes_when_all_have_ended_is_heard_after_it(monkeypatch):
    end = launch._all_ended

    @contextlib.contextmanager
    def interrupted(started):
        with end(started) as announce:
            yield announce
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(launch, "_all_ended", interrupted)
    with pytest.raises(KeyboardInterrupt):
        launch.launch(["true"], 1)


def test_each_worker_has_its_share_of_the_cores_and_the_variables(monkeypatch, capfd):
    script = "echo $OMP_NUM_THREADS $DMLC_ROLE $DMLC_NUM_WORKER $DMLC_NUM_SERVER"
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert launch.launch(["sh", "-c", script]) == 0
    threads = max(os.cpu_count() // 2, 1)
    assert capfd.readouterr().out == f"{threads} worker 2 1\n" * 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([],), ValueError, r"`command` must be a program and its arguments, .*, got \[\]"),
        (("train.py",), ValueError, r"`command` must be a program and its arguments"),
        ((["x"], 0), ValueError, r"`workers` must be an integer of at least 1, got 0"),
        ((["x"], 1, 1.5), TypeError, r"`servers` must be an integer"),
        ((["no-such-program"], 1), OSError, r"no-such-program"),
    ],
)
def test_bad_arguments_of_the_launcher(arguments, error, message):
    with pytest.raises(error, match=message):
        launch.launch(*arguments)


@pytest.mark.parametrize("seconds", ["abc", "", "0", "-1", "nan", "inf", "1e300"])
def test_a_bad_time_to_wait_is_an_error_before_anything_is_started(seconds, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    message = f"launch: `GLUON_LR_TIMEOUT` must be a number of seconds .*, got '{seconds}'"
    with pytest.raises(ValueError, match=message):
        launch.launch(["true"], env={"GLUON_LR_TIMEOUT": seconds})
    monkeypatch.setenv("GLUON_LR_TIMEOUT", seconds)
    with pytest.raises(ValueError, match=message):
        launch.launch(["true"])
