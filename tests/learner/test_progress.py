"""What a fit shows: a bar, and a line an epoch that stays."""

import functools
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from fits import make_learner
from nbclient import NotebookClient

from gluon_lr import Callback, CancelFitException
from gluon_lr.learner.callbacks import progress

SCRIPT = """
import mxnet as mx, numpy as np
from gluon_lr import Learner
data = np.random.RandomState(0).randn(64, 5).astype("float32")
dataset = mx.gluon.data.ArrayDataset(data, (data[:, 0] > 0).astype("float32"))
loader = mx.gluon.data.DataLoader(dataset, 8)
learner = Learner(mx.gluon.nn.Dense(2), loader, valid_loader=loader, metrics=["acc", "f1"])
learner.fit(1, 0.1)
learner.fit(2, 0.1)
"""
HEAD = "epoch  train_loss  valid_loss    accuracy          f1   time"


@pytest.fixture
def learner():
    one = make_learner()
    one.progress = True
    return one


def test_a_line_an_epoch_stays_below_its_names(learner, capsys):
    learner.fit(2, 0.1)
    names, *lines = capsys.readouterr().out.splitlines()
    assert names == "epoch  train_loss  valid_loss    accuracy   time"
    for line, epoch in zip(lines, learner.recorder.epochs):
        shown = line.split()
        assert shown[:4] == [
            str(epoch["epoch"]),
            *(f"{epoch[name]:.6f}" for name in ("train_loss", "valid_loss", "accuracy")),
        ]
        assert re.fullmatch(r"\d\d:\d\d", shown[4])
        assert len(line) == len(names)
    assert len(lines) == 2


def test_a_tuned_fit_shows_its_rate_and_the_epochs_that_were_kept(learner, capsys):
    learner.fit(1, 0.1)
    capsys.readouterr()
    learner.fit_one_cycle(2, "tune")
    rate, names, *lines = capsys.readouterr().out.splitlines()
    assert rate == f"best rate of the trials: {learner.tuned.suggestion:.3g}"
    assert names == "epoch  train_loss  valid_loss    accuracy   time"
    kept = [epoch for epoch in learner.recorder.epochs if epoch["fit"] == 1]
    assert [line.split()[1] for line in lines] == [f"{one['train_loss']:.6f}" for one in kept]
    assert len(lines) == 2


def test_the_bar_shows_epoch_loss_and_rate(learner, capsys, monkeypatch):
    at_each_batch = functools.partial(progress._Bar, mininterval=0, miniters=0)
    monkeypatch.setattr(progress, "_Bar", at_each_batch)
    learner.fit(2, 0.125)
    shown = capsys.readouterr().err
    for text in ("8/8", "epoch 2/2", "loss ", "lr 0.12"):
        assert text in shown
    assert max(map(len, re.split(r"[\r\n]", shown))) <= 80


def test_without_a_bar_nothing_is_shown(learner, capsys):
    with learner.no_bar():
        learner.fit(1, 0.1)
        learner.lr_find(show_plot=False)
    assert capsys.readouterr() == ("", "")
    assert learner.progress


def test_the_reason_why_a_fit_ends_is_shown(learner, capsys):
    class Ends(Callback):
        def after_epoch(self, learner):
            raise CancelFitException("Ends: it is enough.")

    learner.fit(3, 0.1, cbs=Ends())
    assert capsys.readouterr().out.splitlines()[-1] == "Ends: it is enough."


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_after_an_error_the_bar_is_closed(learner, error, capsys):
    class Breaks(Callback):
        def after_batch(self, learner):
            raise error

    with pytest.raises(error):
        learner.fit(3, 0.1, cbs=Breaks())
    learner.say("next")
    assert capsys.readouterr().out == "next\n"


def test_fits_one_after_the_other_are_told_apart(learner):
    learner.fine_tune(2, 0.1)
    learner.fit(1, 0.1)
    recorder = learner.recorder
    numbers = [(one["fit"], one["epoch"]) for one in recorder.epochs]
    assert numbers == [(0, 0), (1, 0), (1, 1), (2, 0)]
    assert recorder.fit_epochs == recorder.epochs[3:]
    assert len(recorder.values) == 1
    assert len(recorder) == 4
    names = repr(recorder).splitlines()[1].split()
    assert names == ["fit", "epoch", "train_loss", "valid_loss", "accuracy", "time"]


def test_in_a_terminal_of_80_columns_no_line_is_broken(tmp_path):
    shown = in_a_terminal([sys.executable, "-c", SCRIPT])
    lines = [line.rstrip("\r").split("\r")[-1] for line in shown.split("\n")]
    assert lines.count(HEAD) == 2
    assert sum(bool(re.match(r" +\d+ +\d\.\d+ .* \d\d:\d\d$", line)) for line in lines) == 3
    of_mxnet = r"\[\d\d:\d\d:\d\d\] "  # 2.0 tells of its storage
    assert max(len(line) for line in lines if not re.match(of_mxnet, line)) <= 80


def in_a_terminal(command, columns="80"):
    """Return what a command shows in a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": columns, "LINES": "24", "TERM": "xterm"}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


def test_in_a_pipe_the_lines_are_alone_on_the_standard_output():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    names, *lines = done.stdout.decode().splitlines()
    assert names == HEAD
    assert len(lines) == 4  # of which one has the names again
    assert b"8/8" in done.stderr


def test_in_a_notebook_the_lines_are_its_output(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SCRIPT)])
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    texts = [one.text for one in notebook.cells[0].outputs if one.get("name") == "stdout"]
    assert "".join(texts).splitlines().count(HEAD) == 2
    assert Path(tmp_path).exists()
