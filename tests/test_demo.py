"""The demo, run as its user runs it."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gluon_lr import cli, demo


@pytest.fixture(scope="module")
def completed(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "new" / "pictures"
    command = [sys.executable, "-m", "gluon_lr", "demo", "--out", str(out)]
    return out, subprocess.run(command, capture_output=True, text=True, check=True)


def test_the_suggested_rate_reaches_96_percent(completed):
    _, done = completed
    accuracy = re.search(r"^1-cycle .* ([\d.]+)%", done.stdout, re.MULTILINE)
    assert float(accuracy.group(1)) >= 96


def test_the_table_has_both_runs_with_rate_loss_accuracy_and_time(completed):
    _, done = completed
    for name in ("1-cycle", "MXNet's default"):
        assert re.search(rf"^{name} +[\d.]+ +[\d.]+ +[\d.]+% +[\d.]+s$", done.stdout, re.MULTILINE)


def test_three_pictures_are_written_and_named(completed):
    out, done = completed
    assert sorted(path.name for path in out.iterdir()) == [
        "finder.png",
        "schedule.png",
        "training.png",
    ]
    for path in out.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert str(path) in done.stdout


def test_progress_is_on_the_screen_and_warnings_are_not(completed):
    _, done = completed
    assert "Finding a learning rate" in done.stderr
    assert "Warning" not in done.stderr + done.stdout
    lines = [line for line in re.split(r"[\r\n]+", done.stderr) if line.strip()]
    assert "train_loss" in done.stdout
    # the last is MXNet 2.0's
    others = r"Matplotlib is building the font cache|\[.*\] .*Using Pooled .* StorageManager"
    expected = rf"Finding a learning rate:|\s*\d+%\|.*\d+/\d+ \[|{others}"
    assert all(re.match(expected, line) for line in lines)


def test_the_split_is_the_same_each_time_and_leaves_nothing_out():
    digits = demo.load_digits()
    assert (len(digits.train), len(digits.valid)) == (1437, 360)
    again = demo.load_digits().valid
    assert all((digits.valid[i][0] == again[i][0]).all() for i in range(360))


def test_a_directory_that_cannot_be_written_is_refused_before_any_training(capsys, monkeypatch):
    monkeypatch.setattr(demo, "run", lambda out: pytest.fail("trained"))
    Path("file").write_text("in the way")
    assert cli.main(["demo", "--out", "file/pictures"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("gluon-lr demo: --out file/pictures must be a writable directory: ")
    assert err.count("\n") == 1


def test_a_missing_scikit_learn_is_one_line_with_the_remedy(capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["demo"]) == 2
    assert capsys.readouterr().err == (
        "gluon-lr demo: the demo needs scikit-learn. Install it: "
        f"{sys.executable} -m pip install scikit-learn numpy=={np.__version__}\n"
    )


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["demo", "--in", "x"]])
def test_bad_arguments_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as exit_info:
        cli.main(arguments)
    assert exit_info.value.code == 2
    assert "usage: gluon-lr" in capsys.readouterr().err
