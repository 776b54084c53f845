"""The command line, as it is typed."""

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest

from gluon_lr import LRFinderResult, Refusal, Schedule
from gluon_lr.cli import main
from gluon_lr.finder import Comparison, LRFinder
from gluon_lr.schedules import text

STEPS = "FactorScheduler(100, 0.5, base_lr=1)"
CYCLE = "TriangularSchedule(0.1, 1, cycle_length=200)"


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_plot_without_a_display_writes_a_file(capsys):
    assert main(["plot", STEPS]) == 0
    assert capsys.readouterr().out == "wrote schedule.png\n"
    assert Path("schedule.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("out", [[], ["-o", "schedule.png"], ["-o", "schedule"]])
def test_plot_keeps_a_file_that_exists(out, capsys):
    Path("schedule.png").write_text("precious")
    assert main(["plot", STEPS, *out]) == 2
    assert capsys.readouterr() == (
        "",
        "gluon-lr plot: --out schedule.png exists. Choose another file, "
        "or add --force to overwrite it\n",
    )
    assert Path("schedule.png").read_text() == "precious"
    assert main(["plot", STEPS, *out, "--force"]) == 0
    assert Path("schedule.png").read_bytes()[:4] == b"\x89PNG"


def test_plot_draws_several_schedules_with_their_texts_to_the_file_asked_for(capsys):
    assert main(["plot", STEPS, CYCLE, "--iterations", "300", "-o", "both.svg"]) == 0
    assert capsys.readouterr().out == "wrote both.svg\n"
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
    Path("schedule.png").touch()  # which is not asked for
    assert main(["plot", STEPS]) == 0
    assert len(shown) == 1
    assert Path("schedule.png").read_bytes() == b""


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


def test_schedules_lists_each_call_with_its_first_sentence(capsys):
    assert main(["schedules"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    names = [match.group() for match in (re.match(r"\w+(?=\()", line) for line in lines) if match]
    assert names == list(text.NAMES)
    place = lines.index("REXSchedule(min_lr, max_lr, cycle_length)")
    first = inspect.getdoc(text.NAMES["REXSchedule"]).splitlines()[0]
    assert lines[place + 1] == f"    {first}"
    assert not any(":class:" in line or "``" in line for line in lines)


def test_schedules_lists_those_of_other_packages_and_says_which_cannot_be_loaded(
    monkeypatch, capsys
):
    class Registered(Schedule):
        """A schedule of another package. It has a second sentence."""

        def __init__(self, low, high=1):
            super().__init__()

    def broken():
        raise ImportError("no such module")

    entries = [
        SimpleNamespace(name="Registered", value="one:Registered", load=lambda: Registered),
        SimpleNamespace(name="Broken", value="other:Broken", load=broken),
    ]
    monkeypatch.setattr(text, "_entry_points", lambda: entries)
    assert main(["schedules"]) == 0
    printed = capsys.readouterr()
    assert printed.out.endswith("Registered(low, high=1)\n    A schedule of another package.\n")
    assert printed.err == (
        "gluon-lr schedules: Broken: the entry point Broken = other:Broken cannot be loaded: "
        "no such module\n"
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["plot", "Foo(1)"], "gluon-lr plot: schedule: `text` must be .* unknown name 'Foo'"),
        (["table", "CosineScheduler(-1)"], "CosineScheduler: `max_update` must be"),
        (["table", STEPS, "--iterations", "0"], "--iterations must be at least 1, got 0"),
        (["plot", STEPS, "-o", "no/such/dir.png"], "no/such/dir.png must be a writable file in an"),
        (["plot", STEPS, "-o", "picture.xyz"], "picture.xyz must be a picture file with"),
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

    monkeypatch.setattr("gluon_lr.schedules.schedule", press)
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
    Path("my/lacking.py").write_text("import nothing_like_this")
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

class Half:
    iteration = None

def make_broken():
    learner = make_learner()
    learner.compute_loss = lambda net, batch: {}["a mistake of its own"]
    return learner

def make_printing():
    print("printed")
    return make_learner()

def broken():
    raise KeyError("a mistake of its own")

def make_with_words():
    raise ValueError("\\nthe first line\\nand another")

def make_of_other_shapes():
    learner = make_learner()
    learner.compute_loss = lambda net, batch: mx.nd.ones((2, 3)) + mx.nd.ones((4, 5))
    return learner

number = 3
"""
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("my", "my.training"):
        sys.modules.pop(name, None)


FOUND = r"suggested rate: [\d.e-]+ \([\d.e-]+ to [\d.e-]+\)"


def test_find_prints_the_answer_first_draws_and_writes_json(training, capsys):
    arguments = ["find", "my.training:make_learner", "-o", "curve", "--json", "found.json"]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    answer, end, *files = printed.out.splitlines()
    found = LRFinderResult.from_json(Path("found.json").read_text())
    low, high = found.interval
    assert answer == f"suggested rate: {found.suggestion:.2g} ({low:.2g} to {high:.2g})"
    assert re.fullmatch(FOUND, answer)
    assert end == (
        f"The search took {len(found)} iterations from rate 1e-06 to {found.lrs[-1]:.2g} "
        f"and ended: {found.reason}."
    )
    assert files == ["wrote curve.png", "wrote found.json"]
    assert "Finding a learning rate" in printed.err
    assert Path("curve.png").read_bytes()[:4] == b"\x89PNG"


def test_find_without_a_rate_says_why_what_to_do_and_where_to_start(training, capsys):
    assert main(["find", "my.training:make_learner", "--num-iter", "10"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"no suggested rate: {Refusal.TOO_SHORT}",
        Refusal.TOO_SHORT.remedy,
        "The optimizer's usual rate is 0.45: start from that.",
        "The search took 10 iterations from rate 1e-06 to 10 and ended: all rates were tried.",
    ]


@pytest.mark.parametrize("factory", ["make_learner", "make_printing"])
def test_quiet_leaves_the_answer_alone(factory, training, capsys):
    arguments = ["--quiet", "-o", "curve.svg", "--json", "found.json"]
    assert main(["find", f"my.training:{factory}", *arguments]) == 0
    printed = capsys.readouterr()
    assert re.fullmatch(FOUND + "\n", printed.out)
    assert printed.err == ("printed\n" if factory == "make_printing" else "")
    assert Path("curve.svg").exists()
    assert Path("found.json").exists()


def test_json_goes_to_standard_output_alone(training, capsys):
    assert main(["find", "my.training:make_printing", "--json", "-", "-o", "curve.svg"]) == 0
    printed = capsys.readouterr()
    found = LRFinderResult.from_json(printed.out)
    assert json.loads(printed.out)["suggestion"] == found.suggestion
    lines = printed.err.splitlines()
    assert "printed" in lines
    assert lines[-1] == "wrote curve.svg"
    assert re.fullmatch(FOUND, lines[-3])
    assert not Path("-").exists()


def test_the_options_of_find_are_those_of_the_search(training, monkeypatch):
    passed = {}

    def find(self, **arguments):
        passed.update(arguments)
        return original(self, num_iter=2)

    original = LRFinder.find
    monkeypatch.setattr(LRFinder, "find", find)
    options = "--seed 3 --lr-start 1e-3 --lr-end 2 --num-iter 30 --length 40 --refine --quiet"
    assert main(["find", "my.training:make_learner", *options.split()]) == 0
    assert passed == {
        "seed": 3,
        "lr_start": 1e-3,
        "lr_end": 2,
        "num_iter": 30,
        "length": 40,
        "refine": True,
        "progress": False,
    }
    passed.clear()
    assert main(["find", "my.training:make_learner"]) == 0
    assert {name for name in passed if name.startswith("lr")} == set()


@pytest.mark.parametrize("command", [["find"], ["compare", "--set", "wd=0,1"]])
@pytest.mark.parametrize("option", [["-o", "kept.png"], ["-o", "kept"], ["--json", "kept.png"]])
def test_a_file_that_exists_is_kept(command, option, training, capsys):
    Path("kept.png").write_text("precious")
    assert main([*command, *option, "my.training:broken"]) == 2
    name = "--json" if "--json" in option else "--out"
    assert capsys.readouterr().err == (
        f"gluon-lr {command[0]}: {name} kept.png exists. Choose another file, "
        "or add --force to overwrite it\n"
    )
    assert Path("kept.png").read_text() == "precious"


def test_find_is_for_a_length(training, capsys):
    found = []
    for arguments in ([], ["--length", "1000"]):
        assert main(["find", "my.training:make_learner", "--json", "-", *arguments]) == 0
        found.append(LRFinderResult.from_json(capsys.readouterr().out))
    assert found[1].length == 1000
    assert found[1].suggestion == pytest.approx(found[0].suggestion * 4**-0.47)


def test_find_can_refine(training, capsys):
    assert main(["find", "my.training:make_learner", "--refine", "--json", "found.json"]) == 0
    assert LRFinderResult.from_json(Path("found.json").read_text()).refined is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["my.training"], "give MODULE:FUNCTION, for example training:make_learner"),
        (["my/training.py:make"], "in training.py, got 'my/training.py:make'"),
        (["my.nowhere:make"], "my.nowhere:make: No module named 'my.nowhere'. Run this in the f"),
        (["nowhere:make"], "No module named 'nowhere'. Run this in the folder of nowhere"),
        (["my.lacking:make"], "my.lacking:make: No module named 'nothing_like_this'"),
        (["my.training:make"], "my.training:make: my.training has no function 'make'"),
        (["my.training:number"], "my.training has no function 'number'"),
        (["builtins:dict"], "builtins:dict must return a Learner, got dict"),
        (["my.training:Half"], "my.training:Half must return a Learner, got Half"),
        (["builtins:tuple"], "builtins:tuple must return a Learner, got tuple"),
        (["my.training:make_learner", "-o", "no/x.png"], "--out no/x.png must be a writable file"),
        (["my.training:make_learner", "--length", "0"], "--length must be at least 1, got 0"),
        (["my.training:make_learner", "--seed", "-1"], "`seed` must be an integer of at least 0"),
        (["my.training:make_learner", "--num-iter", "1"], "`num_iter` must be an integer of at"),
        (["my.training:make_learner", "--lr-start", "0"], "`lr_start` must be a finite number abo"),
        (["my.training:make_learner", "--lr-end", "1e-7"], "got 1e-07. `lr_start` is 1e-06."),
        (["my.training:make_learner", "--json", "my"], "--json my must be a writable file in an"),
        (["my.training:make_learner", "-o", "x.wav"], "--out x.wav must be a picture file with"),
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
    files = ["wrote curves.png", "wrote compared.json"]
    assert printed.out.splitlines() == [*repr(compared).splitlines(), *files]
    assert [row.name for row in compared] == ["wd 0", "wd 0.1", "mom 0.5", "mom 0.9"]
    assert {len(row.losses) for row in compared} == {3}
    assert Path("curves.png").read_bytes()[:4] == b"\x89PNG"


def test_compare_is_quiet_and_writes_json_to_standard_output(training, capsys):
    settings = ["--set", "wd=0,0.1", "--repeats", "1", "--quiet", "--json", "-"]
    assert main(["compare", "my.training:make_printing", *settings]) == 0
    printed = capsys.readouterr()
    assert printed.err == f"printed\n{Comparison.from_json(printed.out).reason}\n"


def test_the_options_of_compare_are_those_of_the_comparison(training, monkeypatch):
    passed = []

    def compare(self, values, **arguments):
        passed.append((values, arguments))
        return original(self, {"wd": [0, 1]}, repeats=1)

    original = LRFinder.compare
    monkeypatch.setattr(LRFinder, "compare", compare)
    options = "--set mom=0.5,0.9 --seed 3 --grid --length 40 --repeats 2 --quiet"
    assert main(["compare", "my.training:make_learner", *options.split()]) == 0
    expected = {"grid": True, "tune": False, "length": 40, "repeats": 2}
    assert passed == [({"mom": [0.5, 0.9]}, {**expected, "seed": 3, "progress": False})]


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
        (["net=a,b"], "--set net is not possible, because functions create nets. Use Python: LRF"),
        (["wd=0,1", "--set", "wd=2"], "--set wd must be given once, with all values"),
        (["wd=1"], "LRFinder.compare: `values` must be at least two values"),
        (["wd=1,1"], "LRFinder.compare: `values` must be one or more different values of 'wd'"),
        (["wd=0,-1"], "HyperParameters: `wd` must be finite and at least 0"),
        (["beta3=0,1"], "LRFinder.compare: `values` must be a dict with names from net,"),
        (["batch_size=0,8"], "LRFinder.compare: `batch_size` must be an integer of at least 1"),
        (["wd=0,1", "--tune"], "--length must be given with --tune"),
        (["wd=0,1", "--length", "0"], "--length must be at least 1, got 0"),
        (["wd=0,1", "--repeats", "0"], "--repeats must be at least 1, got 0"),
        (
            ["wd=0,1", "--tune", "--length", "8", "--repeats", "2"],
            "--repeats must be omitted with --tune",
        ),
        (["wd=0,1", "-o", "no/x.png"], "--out no/x.png must be a writable file in an"),
    ],
)
def test_compare_says_before_the_search_what_is_wrong(training, arguments, message, capsys):
    assert main(["compare", "my.training:make_learner", "--set", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("gluon-lr compare: ")
    assert message in printed.err
    assert "Comparing settings" not in printed.err


@pytest.mark.parametrize("more", [["find"], ["compare", "--set", "wd=0,1"]])
@pytest.mark.parametrize(
    ("factory", "said", "code"),
    [
        ("broken", "KeyError: 'a mistake of its own'", "    raise KeyError("),
        ("make_broken", "KeyError: 'a mistake of its own'", "    learner.compute_loss = lambda"),
        ("make_with_words", "ValueError: the first line", "    raise ValueError("),
    ],
)
def test_an_error_in_the_users_code_is_one_line_with_its_place(
    more, factory, said, code, training, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "last_type", None, raising=False)  # set, and put back after the test
    assert main([*more, f"my.training:{factory}"]) == 1
    lines = Path("my/training.py").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, start=1) if text.startswith(code))
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"gluon-lr {more[0]}: my.training:{factory} raised {said} (training.py, line {line}); "
        "--debug shows the traceback"
    )
    assert sys.last_type is not None  # a worker then waits for no other


def test_an_error_in_the_users_grammar_is_said_with_its_line(training, monkeypatch, capsys):
    monkeypatch.setattr(sys, "last_type", None, raising=False)
    Path("my/wrong.py").write_text("\ndef f(:")
    assert main(["find", "my.wrong:f"]) == 1
    assert re.search(
        r"my\.wrong:f raised SyntaxError: .* \(wrong.py, line 2\); --debug", capsys.readouterr().err
    )


def test_of_an_error_of_mxnets_the_line_that_says_most_is_told(training, monkeypatch, capsys):
    monkeypatch.setattr(sys, "last_type", None, raising=False)
    assert main(["find", "my.training:make_of_other_shapes"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    expected = (
        r"raised MXNetError: (?!MXNetError).*shapes.* \(training.py, line \d+\); --debug shows"
    )
    assert re.search(expected, last)


@pytest.mark.parametrize("arguments", [["--debug", "find"], ["find", "--debug"]])
def test_debug_shows_the_traceback(arguments, training):
    with pytest.raises(KeyError, match="a mistake of its own"):
        main([*arguments, "my.training:broken"])


def test_launch_returns_the_status_of_its_command(monkeypatch):
    launched = []
    monkeypatch.setattr(
        "gluon_lr.distributed.launch.launch", lambda *arguments: launched.append(arguments) or 7
    )
    assert main(["launch", "-n", "3", "--", "python", "train.py", "--debug"]) == 7
    assert launched == [(["python", "train.py", "--debug"], 3, 1)]


QUICK = """
import sys
from gluon_lr.cli import main
for arguments in (["--version"], ["--help"], ["demo", "--help"], ["find", "--lr"], ["nothing"]):
    try:
        main(arguments)
    except SystemExit:
        pass
    else:
        raise AssertionError(arguments)
import gluon_lr.distributed.launch
print(sorted({"mxnet", "matplotlib", "tqdm"} & sys.modules.keys()))
"""


def test_what_needs_no_mxnet_imports_none():
    done = subprocess.run([sys.executable, "-c", QUICK], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_shell_is_told_how_a_word_may_go_on(tmp_path):
    pytest.importorskip("argcomplete")
    line = "gluon-lr find --lr"
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": " ",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "told"),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    command = [sys.executable, "-m", "gluon_lr"]
    subprocess.run(command, env={**os.environ, **asked}, capture_output=True, check=True)
    assert (tmp_path / "told").read_text().split() == ["--lr-start", "--lr-end"]


def test_without_argcomplete_nothing_changes(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    monkeypatch.setenv("_ARGCOMPLETE", "1")
    assert main(["table", STEPS]) == 0
    assert capsys.readouterr().out.startswith("iteration")
