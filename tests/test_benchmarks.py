"""The benchmarks' table, file and exit status, on fabricated rows: nothing is timed here."""

import importlib.util
import json
import math
import re
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import baseline, measure, schedule_call, super_convergence
from benchmarks.measure import Row
from gluon_lr import ConstantSchedule, LRFinder, OneCycleSchedule
from gluon_lr.finder import SearchState

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
    assert names == {*benchmarks.MINUTES, *benchmarks.LONGER}
    for name in names:
        assert importlib.util.find_spec(f"benchmarks.{name}")


# -- the leaderboard -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def board():
    """The leaderboard's modules, which need scikit-learn."""
    pytest.importorskip("sklearn")
    names = ("bare_training", "cases", "leaderboard", "memory", "peer_rules", "random_tasks")
    return SimpleNamespace(**{name: import_module(f"benchmarks.{name}") for name in names})


def test_a_seed_gives_the_same_tasks_however_many_are_asked_for(board):
    few, many = (board.random_tasks.random_tasks(3, count) for count in (5, 20))
    assert [task.name for task in few] == [task.name for task in many[:5]]
    assert len({task.name for task in many}) == 20
    assert few[0].name != board.random_tasks.random_tasks(4, 1)[0].name


@pytest.mark.parametrize("optimizer", ["adam", "lamb"])
def test_bare_training_is_the_learners(board, optimizer):
    from benchmarks import tasks

    net = tasks.mlp([4], 3, norm=True, dropout=0.2)
    task = tasks.Task("iris", tasks.iris, net, tasks.softmax, optimizer, 8)
    problem = tasks.make_problem(task, seed=1, order=2)
    schedule = OneCycleSchedule(0.005, 0.05, 27, 3, 0)
    for n in range(1, 31):
        problem.learner.iteration(schedule(n))
    loss = board.bare_training.held_out_loss(task, seed=1, order=2, lr=0.05, length=30)
    assert loss == pytest.approx(problem.validation_loss(), rel=1e-5)
    assert loss != board.bare_training.held_out_loss(task, seed=1, order=1, lr=0.05, length=30)


def test_a_training_that_diverges_has_an_infinite_loss(board):
    from benchmarks import tasks

    task = tasks.Task("raw", tasks.friedman_raw, tasks.mlp([8], 1), tasks.l2, "sgd", 32)
    assert board.bare_training.held_out_loss(task, 0, 0, 1000, 30) == math.inf


def made_up(board, memory, losses, length=10):
    """Make a case whose grid is known, all of it 9 but for these losses, by rate."""
    task = SimpleNamespace(name="made up")
    known = {board.memory.name_of(lr): 9.0 for lr in board.cases.RATES}
    known.update({board.memory.name_of(lr): loss for lr, loss in losses.items()})
    memory.losses[f"{length} / made up / seed 0 / order 0"] = known
    return board.cases.Case(task, 0, length, memory)


def test_the_shortfall_is_the_share_of_the_improvement_that_is_missed(board):
    case = made_up(board, board.memory.Memory(), {0.1: 1, 0.05: 1.4, 1: 2, 10: None, 0.2: 0.6})
    lost = [
        case.outcome(str(lr), lambda case, lr=lr: board.cases.Answer(lr, 7), True).shortfall
        for lr in (0.1, 0.05, 0.2, 10, None)
    ]
    assert lost == pytest.approx([0, 0.05, -0.05, 2, 1])


def test_what_was_kept_has_been_trained(board):
    memory = board.memory.Memory()
    case = made_up(board, memory, {0.1: 1})
    memory.losses["10 / made up / seed 0 / order 1"] = {"0.2": 1.8}
    answer = board.cases.Answer(0.2, 30, 0.3, kept=True)
    outcome = case.outcome("tune", lambda case: answer, True)
    assert outcome.shortfall == pytest.approx(0.1)
    assert outcome.holds is False  # the best rate is 0.1, 0.31 decades below
    assert case.outcome("tune", lambda case: 1 / 0, True) == outcome  # it is remembered


def test_a_tune_of_the_leaderboard_is_that_of_the_finder(board):
    from benchmarks import tasks
    from benchmarks.ways import tuned

    task = tasks.Task("iris", tasks.iris, tasks.mlp([8], 3, "tanh"), tasks.softmax, "adam", 16)
    case = board.cases.Case(task, 0, 40, board.memory.Memory())
    said = tuned(5, True)(case)
    problem = case.problem()
    result = LRFinder(problem.learner).tune(
        40,
        200,
        validation=problem.validation,
        policy=OneCycleSchedule(0.1, 1, 36, 4, 0),
        keep=True,
        progress=False,
    )
    trained = len(tasks.drawn(tasks.iris, 0)[0][0])
    assert case.passes == 40 * 16 / trained
    assert result.cost == said.updates
    assert result.suggestion == pytest.approx(said.rate, rel=0.1)  # passes are not known to it
    assert result.kept and said.kept


def test_a_rate_that_matters_no_more_than_the_order_is_of_no_use(board):
    def usable(best, best_elsewhere):
        memory = board.memory.Memory()
        case = made_up(board, memory, {0.1: best, 1: 3})
        memory.losses["10 / made up / seed 0 / order 1"] = {
            board.memory.name_of(lr): 1 if lr == best_elsewhere else 2 for lr in board.cases.RATES
        }
        return case.is_usable

    assert usable(1, 0.1)
    assert not usable(1, 1)
    assert not usable(8.5, 0.1)


def test_a_trial_counts_its_usual_time_remembered_or_not(board):
    memory = board.memory.Memory()
    case = made_up(board, memory, {})
    memory.losses["10 / made up / seed 0 / order 1"] = {"0.3": 4.0}
    memory.seconds["10 / made up"] = 1000.0
    answer = board.cases.Answer
    said, seconds = case.answer("a trial", lambda case: answer(case.measure(0.3), 10), True)
    assert said == answer(4.0, 10)
    assert seconds == pytest.approx(1000, rel=0.01)


def test_the_table_has_the_least_loss_first(board):
    outcome = board.cases.Outcome
    found = {
        "bad": [outcome("a", 0.5, 100, 1, True), outcome("b", 2, 100, 1, False)],
        "good": [outcome("a", 0.01, 10, 1), outcome("b", 0.13, 20, 3), outcome("c", 0.04, 30, 9)],
    }
    assert cells("\n".join(board.leaderboard.lines(found)))[2:] == [
        ["good", "67%", "100%", "0.13", "0.060", "20", "3.0", ""],
        ["bad", "0%", "0%", "2.00", "1.250", "100", "1.0", "50%"],
    ]


def test_parts_are_read_by_all_and_gathered(board, tmp_path):
    memory, path = board.memory.Memory, tmp_path / "board.json.gz"
    for part, loss in (("a", 1.0), ("b", None)):
        written = memory(path, part)
        written.losses["task"] = {part: loss}
        written.save()
    assert memory(path, "c").losses == {"task": {"a": 1.0, "b": None}}
    memory(path).save()
    assert [file.name for file in tmp_path.iterdir()] == ["board.json.gz"]
    assert memory(path).losses == {"task": {"a": 1.0, "b": None}}


def test_nothing_may_be_missing_of_what_is_complete(board):
    with pytest.raises(measure.Unavailable, match=r"made up / seed 0 / order 0 / rate 0\.5 is mis"):
        made_up(board, board.memory.Memory(is_complete=True), {}).loss(0.5, 10, 0)


def test_peers_read_their_rates_off_a_curve(board):
    rules = board.peer_rules
    lrs = np.logspace(-6, 1, 71)
    losses = np.ones(71)
    losses[40:] = 0.5  # the steepest fall over the index is between 39 and 40
    losses[15:] -= 0.01  # that over the rate between 14 and 15, as the rates are so much closer
    losses[60:] = 3
    assert rules.steepest_over_index(lrs, losses) in lrs[[39, 40]]
    assert rules.steepest_before_lowest(lrs, losses) in lrs[[39, 40]]
    assert rules.steepest_over_rate(lrs, losses) in lrs[[14, 15]]
    losses[60:] = np.nan
    assert rules.steepest_over_rate(lrs, losses) in lrs[[14, 15]]
    for rule in (rules.steepest_over_index, rules.steepest_over_rate):
        assert rule(lrs[:11], losses[:11]) is None
    assert rules.steepest_before_lowest(lrs, np.arange(71.0)) is None
    assert rules.light_mean(np.array([1.0, 2, 2])) == pytest.approx([1, 1.05, 1.0975])


def test_peers_stop_where_the_loss_has_left_its_lowest(board):
    peer = board.peer_rules.PEERS["Ignite's"]
    state = SearchState()
    for loss in (1.0, 1.0, 90.0):
        state.append(0.1, loss)
        assert peer.stops(state) == (loss == 90)


def test_a_search_of_several_ways_is_made_once_and_counts_for_each(board, monkeypatch):
    case = made_up(board, board.memory.Memory(), {})
    monkeypatch.setattr(case, "problem", lambda: SimpleNamespace(learner="a learner"))
    clock = iter([0, 2, 9, 10, 20, 21])  # the search is from 2 to 9
    monkeypatch.setattr(board.cases.time, "perf_counter", lambda: next(clock))
    made = []
    for name in ("one", "another"):

        def way(case):
            return board.cases.Answer(case.searched(made.append), 5)

        said, seconds = case.answer(name, way, False)
        assert said == (None, 5, None, False)
        assert seconds == (10 if name == "one" else 8)
    assert made == ["a learner"]


# -- transferred rates ---------------------------------------------------------------------------


def test_where_the_bound_is_right_transferred_rates_lose_next_to_nothing(board, monkeypatch):
    from benchmarks import transfer

    def loss_under(schedule, task, seed, order, length):
        highest = schedule.values(range(1, length + 1)).max()
        meant = transfer.transfer(0.1, ConstantSchedule(1), schedule, 250, length)
        return 1 + math.log10(highest / meant) ** 2

    monkeypatch.setattr(transfer, "loss_under", loss_under)
    found = transfer.outcomes_of(None)
    assert len(found) == 6 + 36 * len(transfer.RULES)
    lost = {rule: [one.shortfall for one in found if one.rule == rule] for rule in transfer.RULES}
    assert max(lost["transfer"]) < 0.01 < max(lost["the same highest rate"])
    table = cells("\n".join(transfer.lines(found)))
    assert table[2][:3] == ["another schedule, 250 updates", "transfer", "100%"]
    assert len(table) == 2 + 7 + 2 + 12


# -- the noise scale -----------------------------------------------------------------------------


@pytest.mark.parametrize(("optimizer", "power"), [("sgd", 1), ("adam", 0.5)])
def test_where_the_best_rate_follows_the_noise_scale_it_is_predicted(
    board, monkeypatch, optimizer, power
):
    from benchmarks import noise_scale, tasks

    def held_out_loss(task, seed, order, lr, length):
        best = 0.1 / (1 + scales[-1] / task.batch_size) ** power
        return 1 + math.log10(lr / best) ** 2

    monkeypatch.setattr(noise_scale, "held_out_loss", held_out_loss)
    monkeypatch.setattr(noise_scale, "noise_scale", lambda task, schedule: scales[-1])
    scales, outcomes = [], []
    for scale in (4.0, 50.0, 200.0):
        scales.append(scale)
        task = tasks.Task("a, b", None, None, None, optimizer, 8)
        outcomes.append(noise_scale.outcome_of(task))
    off = {
        name: max(noise_scale.errors(outcomes, rule)) for name, rule in noise_scale.RULES.items()
    }
    assert off.pop("noise scale at the start") < 1e-6
    assert off.pop("noise scale over the training") < 1e-6
    assert min(off.values()) > 0.1
    table = cells("\n".join(noise_scale.lines([*outcomes, outcomes[0]._replace(adam=power == 1)])))
    assert len(table) == 2 + 3 * 6 + 2 + 4


def test_noise_that_hides_the_gradient_is_as_much_as_there_can_be(board):
    from benchmarks import noise_scale

    assert noise_scale.predicted(math.inf, (8, 32), False) == pytest.approx(math.log10(4))


def test_a_noise_scale_is_measured_of_a_task(board, monkeypatch):
    from benchmarks import noise_scale, tasks

    monkeypatch.setattr(noise_scale, "LENGTH", 3)
    task = tasks.Task("iris", tasks.iris, tasks.mlp([4], 3), tasks.softmax, "adam", 8)
    assert noise_scale.noise_scale(task, lambda n: 0.01) > 0


# -- compared settings ---------------------------------------------------------------------------


def test_a_setting_that_is_the_best_is_picked(board, monkeypatch):
    from benchmarks import compared, tasks

    def loss(task, order, lr):
        wd, mom = (task.optimizer_params[name] for name in ("wd", "momentum"))
        chance = np.random.RandomState(order).standard_normal()
        away = math.log10(lr / (1 - mom))
        return min(4 - mom + 500 * wd + away**2, 9.0) + 0.001 * chance

    monkeypatch.setattr(
        board.cases, "held_out_loss", lambda task, seed, order, lr, length: loss(task, order, lr)
    )
    monkeypatch.setattr(
        compared.Grid, "_sweep", lambda self, task, order: (0.05, loss(task, order, 0.05), 100)
    )
    task = tasks.Task("iris", tasks.iris, tasks.mlp([4], 3), tasks.softmax, "sgd", 8)
    grid = compared.Grid(task, board.memory.Memory())
    lost = grid.shortfalls()
    assert min(lost, key=lost.get) == (0, 0.95)
    raced, swept = grid.raced(), grid.swept()
    assert max(raced.at_best, swept.at_best) < 0.01
    assert raced.updates <= 0.2 * 9 * 11 * compared.LENGTH
    assert swept.updates == 9 * 3 * 100
    wins = grid.wins_by_chance()
    assert [len(one) for one in wins] == [compared.TIMES, compared.TIMES]
    monkeypatch.setattr(compared, "grids", lambda memory: [grid, grid])
    table = cells("\n".join(compared.lines(board.memory.Memory())))
    assert [row[1] for row in table[2:4]] == ["100%", "100%"]
