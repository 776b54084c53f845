"""The benchmarks' table, file and exit status, on fabricated rows: nothing is timed here."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import baseline, measure, schedule_call, super_convergence
from benchmarks.measure import Row

FOLDER = Path(benchmarks.__file__).parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")
GOOD = Row("a call", "MXNet's", 0.9, 1.0, 0.8, 1.1)
SLOW = Row("a search", "bare loop", 1.23456, 1.15)
SAYS = "from benchmarks.measure import Row, say; say([Row('a peer', 'bare', 9.5)])"


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the command line on rows of one part; return its status and what it wrote."""

    def run(rows, *arguments):
        monkeypatch.setattr(schedule_call, "rows", rows)
        path = tmp_path / "out.json"
        status = benchmarks.main(["schedule_call", "--json", str(path), *arguments])
        return status, json.loads(path.read_text(encoding="utf-8"))

    return run


def cells(text):
    return [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if "|" in line
    ]


def test_one_table_and_a_file_with_the_spread(run, capsys):
    status, written = run(lambda: iter([GOOD, Row("no goal", "bare", 2.0)]))
    out = capsys.readouterr().out
    assert status == 0
    assert cells(out)[0] == ["part", "what", "beside", "ratio", "goal"]
    assert cells(out)[2:] == [
        ["schedule_call", "a call", "MXNet's", "0.900", "1"],
        ["schedule_call", "no goal", "bare", "2.000", ""],
    ]
    assert "pip install torch torch-lr-finder fastai" in out
    assert written["rows"][0] == {"part": "schedule_call", **GOOD._asdict()}
    assert {"Python", "MXNet", "NumPy", "CPU", "cores", "load"} == set(written["machine"])
    assert written["date"].endswith("+00:00")


def test_a_figure_above_its_goal_is_status_1(run, capsys):
    status, written = run(lambda: iter([GOOD, SLOW]))
    assert status == 1
    assert "1 above the goal" in capsys.readouterr().out
    assert written["rows"][1]["figure"] == 1.23456


@pytest.mark.parametrize(
    "failure", [ModuleNotFoundError("No module named 'sklearn'"), measure.Unavailable("no images")]
)
def test_a_part_that_cannot_run_says_why(run, capsys, failure):
    def rows():
        yield GOOD
        raise failure

    status, written = run(rows)
    assert status == 0
    assert written["rows"][1]["what"] == f"not measured: {failure}"
    assert f"not measured: {failure}" in capsys.readouterr().out


def test_rows_of_another_program_are_merged(run, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    heard = measure.heard
    monkeypatch.setattr(benchmarks, "heard", lambda command: heard([command[0], "-c", SAYS]))
    _, written = run(lambda: iter([GOOD]), "--peers", sys.executable)
    assert [(row["part"], row["figure"]) for row in written["rows"]] == [
        ("schedule_call", 0.9),
        ("peers", 9.5),
    ]


def test_what_is_printed_while_measuring_is_no_row(capsys):
    def rows():
        sys.stdout.write("a progress bar\n")
        yield GOOD

    measure.say(rows())
    captured = capsys.readouterr()
    assert Row(**json.loads(captured.out)) == GOOD
    assert captured.err == "a progress bar\n"


def test_peers_without_torch(run, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    if importlib.util.find_spec("torch"):
        pytest.skip("torch is here")
    _, written = run(lambda: iter([GOOD]), "--peers", sys.executable)
    assert written["rows"][-1]["what"].endswith("No module named 'torch'")


def test_peers_that_cannot_be_started(run):
    _, written = run(lambda: iter([GOOD]), "--peers", "/no/such/python")
    reason = "/no/such/python cannot be started: No such file or directory"
    assert written["rows"][-1]["what"] == f"not measured: {reason}"


@pytest.mark.parametrize(
    "arguments, said",
    [(["schedule_calls"], "got 'schedule_calls'"), (["--json", "no/out.json"], "no folder no")],
)
def test_what_cannot_be_done_is_said_before_measuring(arguments, said, capsys):
    with pytest.raises(SystemExit):
        benchmarks.main(arguments)
    assert said in capsys.readouterr().err


def test_ratios_are_taken_in_turn():
    done = []
    found = measure.ratios(
        lambda: done.append("ours"), lambda: done.append("bare"), 2, lambda: done.append("-")
    )
    assert len(found) == 2
    assert done == ["-", "ours", "-", "bare"] * 3


def test_the_median_counts():
    row = measure.compared("a call", "bare", [3.0, 1.0, 1.5], 2.0)
    assert row == Row("a call", "bare", 1.5, 2.0, 1.0, 3.0)


def test_the_row_of_1_cycle_beside_the_others():
    def runs(*curve, search=0):
        return [super_convergence.Run(list(curve), search)] * 3

    results = {
        "1-cycle": {"suggested": runs((150, 0.85), (300, 0.87), search=100)},
        "constant": {"0.1": runs((50, 0.8), (200, 0.86)), "0.01": runs((400, 0.9))},
        "steps": {"0.1": runs((500, 0.8))},
    }
    rows = {(row.what, row.beside): row.figure for row in super_convergence.compared(results)}
    assert rows["1-cycle: updates to 86%", "constant, best rate of a grid"] == 1.5
    assert rows["1-cycle: updates to 86%, with the search", "constant, with the grid"] == 400 / 600
    assert ("1-cycle: updates to 90%", "constant, best rate of a grid") not in rows


@pytest.mark.parametrize("name", schedule_call.LIKE_PEERS)
def test_ours_and_the_bare_function_are_of_one_shape(name):
    make, bare = schedule_call.LIKE_PEERS[name]
    schedule = make()
    counts = range(1, baseline.LAST + 1)
    assert [schedule(n) for n in counts] == pytest.approx([bare(n) for n in counts], abs=1e-12)


def test_the_readme_names_what_there_is():
    names = set(re.findall(r"python -m benchmarks[. ]([a-z_]+)", README))
    assert names == {*benchmarks.MINUTES, *benchmarks.AN_HOUR}
    for name in names:
        assert importlib.util.find_spec(f"benchmarks.{name}")
