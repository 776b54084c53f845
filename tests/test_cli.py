"""The command line, as it is typed: `gluon-lr find`, `compare`, `plot` and `table`."""

import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from gluon_lr import LRFinderResult
from gluon_lr.cli import main
from gluon_lr.finder import Comparison

STEPS = "FactorScheduler(100, 0.5, base_lr=1)"
CYCLE = "TriangularSchedule(0.1, 1, cycle_length=200)"


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_plot_without_a_display_writes_a_file(capsys):
    assert main(["plot", STEPS]) == 0
    assert capsys.readouterr().out == "schedule.png\n"
    assert Path("schedule.png").read_bytes()[:4] == b"\x89PNG"


def test_plot_draws_several_schedules_with_their_texts_to_the_file_asked_for(capsys):
    assert main(["plot", STEPS, CYCLE, "--iterations", "300", "-o", "both.svg"]) == 0
    assert capsys.readouterr().out == "both.svg\n"
    steps, cycle = plt.gca().get_lines()
    assert (steps.get_label(), cycle.get_label()) == (STEPS, CYCLE)
    assert list(steps.get_xdata()[[0, -1]]) == [1, 300]
    assert cycle.get_ydata()[99] == 1
    assert "<svg" in Path("both.svg").read_text()


def test_plot_shows_a_window_where_there_is_one(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(
        "matplotlib.backends.backend_agg.FigureCanvasAgg.required_interactive_framework", "tk"
    )
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gca()))
    assert main(["plot", STEPS]) == 0
    assert len(shown) == 1
    assert not Path("schedule.png").exists()


def test_table_prints_rates(capsys):
    assert main(["table", STEPS, "--iterations", "400"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = dict(line.split() for line in lines[1:])
    assert lines[0].split() == ["iteration", "rate"]
    assert {n: rows[n] for n in ("0", "1", "100", "120", "400")} == {
        "0": "1",
        "1": "1",
        "100": "1",
        "120": "0.5",
        "400": "0.125",
    }


def test_table_prints_several_side_by_side(capsys):
    assert main(["table", STEPS, CYCLE, "--iterations", "3"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"(1) {STEPS}",
        f"(2) {CYCLE}",
        "iteration           (1)           (2)",
        "        0             1           0.1",
        "        1             1         0.109",
        "        2             1         0.118",
        "        3             1         0.127",
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["plot", "Foo(1)"], "gluon-lr plot: schedule: `text` must be .* unknown name 'Foo'"),
        (["table", "CosineScheduler(-1)"], "CosineScheduler: `max_update` must be"),
        (["table", STEPS, "--iterations", "0"], "--iterations must be at least 1, got 0"),
        (["plot", STEPS, "-o", "no/such/dir.png"], "no/such/dir.png must be a file for a picture"),
        (["plot", STEPS, "-o", "picture.xyz"], "picture.xyz must be a file for a picture"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, reason, capsys):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.search(reason, printed.err)
    assert printed.err.count("\n") == 1


def test_a_bad_time_to_wait_is_said_in_one_line(monkeypatch, capsys):
    monkeypatch.setenv("GLUON_LR_TIMEOUT", "abc")
    assert main(["launch", "--", "true"]) == 2
    reason = capsys.readouterr().err
    assert reason.startswith("gluon-lr launch: launch: `GLUON_LR_TIMEOUT` must be a number of sec")
    assert reason.count("\n") == 1


def test_ctrl_c_ends_a_command_without_a_traceback(monkeypatch, capsys):
    def press(text):
        raise KeyboardInterrupt

    monkeypatch.setattr("gluon_lr.cli.schedule", press)
    monkeypatch.setattr(sys, "last_type", None, raising=False)  # set, and put back after the test
    assert main(["table", STEPS]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "arguments", [[], ["plot"], ["table"], ["plot", STEPS, "--iterations", "x"]]
)
def test_a_wrong_call_is_an_error_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "usage: gluon-lr" in capsys.readouterr().err


def test_as_a_process():
    done = subprocess.run(
        [sys.executable, "-m", "gluon_lr", "table", STEPS],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("iteration")
    assert done.stderr == ""


@pytest.fixture
def training(monkeypatch):
    """A package in the working directory, with a function that returns a learner."""
    Path("my").mkdir()
    Path("my/__init__.py").touch()
    Path("my/training.py").write_text(
        """
import mxnet as mx
import numpy as np
from gluon_lr import Learner

def make_learner():
    mx.random.seed(0)
    random = np.random.RandomState(0)
    data = random.randn(64, 5).astype("float32")
    dataset = mx.gluon.data.ArrayDataset(data, (data[:, 0] > 0).astype("float32"))
    return Learner(mx.gluon.nn.Dense(2), mx.gluon.data.DataLoader(dataset, 16))

def make_broken():
    learner = make_learner()
    learner.compute_loss = lambda net, batch: {}["a mistake of its own"]
    return learner

def broken():
    raise KeyError("a mistake of its own")

number = 3
"""
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("my", "my.training"):
        sys.modules.pop(name, None)


def test_find_prints_draws_and_writes_json(training, capsys):
    arguments = ["find", "my.training:make_learner", "-o", "curve.png", "--json", "found.json"]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    first, *files = printed.out.splitlines()
    assert re.fullmatch(r"LRFinderResult\(.* suggestion [\d.e-]+, [\d.e-]+ to [\d.e-]+\)", first)
    assert files == ["curve.png", "found.json"]
    assert "Finding a learning rate" in printed.err
    assert Path("curve.png").read_bytes()[:4] == b"\x89PNG"
    found = LRFinderResult.from_json(Path("found.json").read_text())
    assert repr(found) == first


def test_find_is_for_a_length(training, capsys):
    found = []
    for arguments in ([], ["--length", "1000"]):
        assert main(["find", "my.training:make_learner", "--json", "found.json", *arguments]) == 0
        found.append(LRFinderResult.from_json(Path("found.json").read_text()))
    assert found[1].length == 1000
    assert found[1].suggestion == pytest.approx(found[0].suggestion * 4**-0.47)


def test_find_can_refine(training, capsys):
    assert main(["find", "my.training:make_learner", "--refine", "--json", "found.json"]) == 0
    assert LRFinderResult.from_json(Path("found.json").read_text()).refined is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["my.training"], "the factory must be MODULE:FUNCTION, got 'my.training'"),
        (["my/training.py:make"], "MODULE:FUNCTION without .py, got 'my/training.py:make'"),
        (["my.nowhere:make"], "my.nowhere:make: No module named 'my.nowhere'"),
        (["my.training:make"], "my.training:make: my.training has no function 'make'"),
        (["my.training:number"], "my.training has no function 'number'"),
        (["builtins:dict"], "builtins:dict must return a Learner. LRFinder: `learner` must be"),
        (["my.training:make_learner", "-o", "no/x.png"], "--out no/x.png must be a file in a"),
        (["my.training:make_learner", "--length", "0"], "--length must be at least 1, got 0"),
        (["my.training:make_learner", "--json", "my"], "--json my must be a file in a directory"),
        (["my.training:make_learner", "-o", "x.wav"], "--out x.wav must be a file for a picture"),
    ],
)
def test_find_says_before_the_search_what_is_wrong(training, arguments, message, capsys):
    assert main(["find", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("gluon-lr find: ")
    assert message in printed.err


def test_compare_prints_a_table_draws_and_writes_json(training, capsys):
    files = ["-o", "curves.png", "--json", "compared.json"]
    settings = ["--set", "wd=0,0.1", "--set", "mom=0.5,0.9"]
    assert main(["compare", "my.training:make_learner", *settings, *files]) == 0
    printed = capsys.readouterr()
    assert "Comparing settings" in printed.err
    compared = Comparison.from_json(Path("compared.json").read_text())
    assert printed.out.splitlines() == [*repr(compared).splitlines(), "curves.png", "compared.json"]
    assert [row.name for row in compared] == ["wd 0", "wd 0.1", "mom 0.5", "mom 0.9"]
    assert {len(row.losses) for row in compared} == {3}
    assert Path("curves.png").read_bytes()[:4] == b"\x89PNG"


def test_compare_reads_integers_and_names(training, capsys):
    settings = ["--set", "batch_size=8,16", "--set", "optimizer=sgd,adam"]
    more = ["--repeats", "1", "--json", "compared.json"]
    assert main(["compare", "my.training:make_learner", *settings, *more]) == 0
    compared = Comparison.from_json(Path("compared.json").read_text())
    names = ["batch_size 8", "batch_size 16", "optimizer sgd", "optimizer adam"]
    assert [row.name for row in compared] == names
    assert {len(row.losses) for row in compared} == {1}


def test_compare_by_trials_of_a_length(training, capsys):
    settings = ["--set", "wd=0,0.1", "--set", "mom=0.5,0.9", "--grid"]
    more = ["--tune", "--length", "8", "--json", "compared.json"]
    assert main(["compare", "my.training:make_learner", *settings, *more]) == 0
    compared = Comparison.from_json(Path("compared.json").read_text())
    assert compared.tuned
    assert [row.result.length for row in compared] == [8] * 4
    assert compared[3].setting == {"wd": 0.1, "mom": 0.9}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["wd"], "--set must be NAME=VALUE,VALUE, got 'wd'"),
        (["=1,2"], "--set must be NAME=VALUE,VALUE, got '=1,2'"),
        (["wd=0,x"], "--set wd must be numbers, got '0,x'"),
        (["wd=0,"], "--set wd must be numbers, got '0,'"),
        (["batch_size=8,1.5"], "--set batch_size must be integers, got '8,1.5'"),
        (["optimizer=sgd,foo"], "--set optimizer must be names of MXNet's optimizers, got"),
        (["net=a,b"], "--set net needs Python, as nets are made by functions: LRFinder(learner)."),
        (["wd=0,1", "--set", "wd=2"], "--set wd must be given once, with all values"),
        (["wd=1"], "LRFinder.compare: `values` must be two values or more"),
        (["wd=1,1"], "LRFinder.compare: `values` must be one or more values of 'wd', each once"),
        (["wd=0,-1"], "HyperParameters: `wd` must be finite and at least 0"),
        (["beta3=0,1"], "LRFinder.compare: `values` must be of the names net, batch_size"),
        (["batch_size=0,8"], "LRFinder.compare: `batch_size` must be an integer of at least 1"),
        (["wd=0,1", "--tune"], "--length must be given with --tune"),
        (["wd=0,1", "--length", "0"], "--length must be at least 1, got 0"),
        (["wd=0,1", "--repeats", "0"], "--repeats must be at least 1, got 0"),
        (
            ["wd=0,1", "--tune", "--length", "8", "--repeats", "2"],
            "--repeats must be left out with --tune",
        ),
        (["wd=0,1", "-o", "no/x.png"], "--out no/x.png must be a file in a directory"),
    ],
)
def test_compare_says_before_the_search_what_is_wrong(training, arguments, message, capsys):
    assert main(["compare", "my.training:make_learner", "--set", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("gluon-lr compare: ")
    assert message in printed.err
    assert "Comparing settings" not in printed.err


def test_an_error_in_a_comparison_keeps_its_traceback(training):
    with pytest.raises(KeyError, match="a mistake of its own"):
        main(["compare", "my.training:make_broken", "--set", "wd=0,1"])


def test_an_error_in_the_factory_keeps_its_traceback(training):
    with pytest.raises(KeyError, match="a mistake of its own"):
        main(["find", "my.training:broken"])
