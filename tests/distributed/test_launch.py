"""The launcher: how what it started ends."""

import contextlib
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from processes import LAUNCH, run
from together import LONGEST

from gluon_lr.distributed import launch


@pytest.mark.parametrize("how", ["exit 3", "kill -9 $$"])
def test_a_failure_ends_all(how):
    # the first to make the directory fails, the other would sleep for longer than the test lasts
    script = f"mkdir failed 2>/dev/null && {how}; exec sleep 10000"
    status, output = run([*LAUNCH, "sh", "-c", script])
    assert status == (3 if how == "exit 3" else 137)
    assert "the others are ended too" in output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_end_of_the_launcher_is_the_end_of_all(number):
    script = "echo started; exec sleep 10000"
    process = subprocess.Popen(
        [*LAUNCH, "sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert [process.stdout.readline() for _ in range(2)] == ["started\n"] * 2
        process.send_signal(number)
        rest, _ = process.communicate(timeout=LONGEST)
    finally:
        process.kill()
    assert rest == ""
    assert process.returncode != 0


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
        with end(started):
            yield
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(launch, "_all_ended", interrupted)
    with pytest.raises(KeyboardInterrupt):
        launch.launch(["true"], 1)


def test_each_worker_has_its_share_of_the_cores_and_the_variables():
    script = "echo $OMP_NUM_THREADS $DMLC_ROLE $DMLC_NUM_WORKER $DMLC_NUM_SERVER"
    variables = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [*LAUNCH, "sh", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=variables,
        timeout=LONGEST,
    )
    threads = max(os.cpu_count() // 2, 1)
    assert done.stdout == f"{threads} worker 2 1\n" * 2


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
