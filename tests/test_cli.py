"""The command line, as it is typed: `gluon-lr plot` and `gluon-lr table`."""

import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from gluon_lr.cli import main

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
