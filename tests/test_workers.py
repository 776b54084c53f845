"""Several workers on this machine, in processes of their own: what they come to, and how they end.

Most are forks of this process, which costs a tenth. What the launcher, the server's own import and
the end of an interpreter have a part in is launched.
"""

import fcntl
import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import together
from forks import fork_workers
from processes import LAUNCH, run

from gluon_lr import Learner, LRFinder, ParamScheduler, SchedLin, Workers, cli
from gluon_lr._mxnet import mx
from gluon_lr.distributed import launch

SCRIPT = Path(together.__file__)
PATIENCE = "12"  # seconds that the workers wait for one another, where one is lost


def outcomes_of(scenarios, directory, *options, workers=2):
    """Run scenarios in workers; return what came of them in each."""
    names = ",".join(scenarios)
    ended = fork_workers(lambda: together.main(names, directory, *options), workers)
    assert ended == [0] * workers
    return written_to(directory)


def written_to(directory):
    return [json.loads(path.read_text()) for path in directory.glob("*.json")]


def in_order(scenario, outcomes):
    """Return what came of one scenario in each worker, by their ranks."""
    return sorted((each[scenario] for each in outcomes), key=lambda each: each.get("rank", 0))


TRAININGS = ["fit", "fit_by_iterations", "fit_convolutions", "fit_own_batches", "steps"]
TRAININGS += ["fit_leaving_out", "finish_and_extend", "fit_for_hours"]
STATISTICS = ["fit_with_running_statistics", "average_running_statistics"]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What came of many scenarios, one after the other in the same two workers, once a run."""
    scenarios = [
        *TRAININGS,
        *STATISTICS,
        "measure_noise",
        "compare",
        "tune",
        "stop_and_go_on",
        "fit_for_a_time",
        "predict",
        "estimate",
        "cancel_together",
    ]
    if importlib.util.find_spec("optuna"):
        scenarios.append("prune")
    of_run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        of_run = of_run.parent
    directory = of_run / "outcomes"
    with (of_run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        if not directory.exists():
            directory.mkdir()
            outcomes_of(scenarios, directory)
    return written_to(directory)


def alike(outcomes):
    """Return what came of it, where that is the same, to the last bit, in all workers."""
    first, second = ({**outcome, "rank": None} for outcome in outcomes)
    assert first == second
    return first


def assert_close(outcome, alone):
    assert len(outcome["weights"]) == len(alone["weights"])
    for array, expected in zip(outcome["weights"], alone["weights"]):
        np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outcome["losses"], alone["losses"], rtol=1e-4, atol=1e-5)
    assert outcome["lrs"] == alone["lrs"]
    assert len(outcome["epochs"]) == len(alone["epochs"])
    for epoch, expected in zip(outcome["epochs"], alone["epochs"]):
        assert epoch == pytest.approx(expected, rel=1e-4)


def assert_they_train_as_one(scenario, outcomes):
    outcomes = in_order(scenario, outcomes)
    assert [outcome["rank"] for outcome in outcomes] == [0, 1]
    together_ = alike(outcomes)
    assert together_["count"] == 2
    alone = together.alone(scenario)
    assert_close(together_, alone)
    assert together_.get("next_number") == alone.get("next_number")
    assert together_.get("iteration_losses", together_["losses"]) == together_["losses"]


@pytest.mark.parametrize("scenario", TRAININGS)
def test_two_workers_train_as_one_on_the_joined_batches(scenario, outcomes):
    assert_they_train_as_one(scenario, outcomes)


def test_two_workers_of_two_contexts_each_train_as_one(tmp_path):
    outcomes = outcomes_of(["fit_on_two_contexts"], tmp_path, "dist_device_sync")
    assert_they_train_as_one("fit_on_two_contexts", outcomes)


def test_one_worker_alone_trains_as_without_a_kvstore(tmp_path):
    (outcome,) = outcomes_of(["fit"], tmp_path, "dist_sync", "by name", workers=1)
    assert outcome["fit"]["weights"] == together.alone("fit")["weights"]


@pytest.mark.parametrize("scenario", STATISTICS)
def test_running_statistics_are_the_mean_of_all_workers(scenario, outcomes):
    alike(in_order(scenario, outcomes))


def test_a_search_is_the_same_on_all_workers_and_leaves_no_trace(tmp_path):
    outcomes = outcomes_of(["find"], tmp_path, "dist_sync", "by name")
    first, second = in_order("find", outcomes)
    assert (first.pop("figures"), second.pop("figures")) == (1, 0)
    outcome = alike([first, second])
    alone = together.alone("find")  # which meets no NaN
    assert_close(outcome, alone)
    for result, expected in zip(outcome["found"], alone["found"]):
        assert result["lrs"] == expected["lrs"]
        assert result["reason"] == expected["reason"]
        reached = len(expected["losses"]) * 2 // 3  # what diverges does so from any rounding
        losses, wanted = result["losses"][:reached], expected["losses"][:reached]
        np.testing.assert_allclose(losses, wanted, rtol=1e-3, atol=1e-4)
    meets_nan, anothers = outcome["meets_nan"], outcome["anothers"]
    assert (meets_nan["reason"], len(meets_nan["losses"])) == ("NOT_FINITE", 15)
    assert (anothers["reason"], anothers["losses"]) == ("NOT_FINITE", [1.5] * 12 + ["nan"])


def test_a_tune_is_the_same_on_all_workers(outcomes):
    outcome = alike(in_order("tune", outcomes))
    alone = together.alone("tune")
    outcome.pop("seconds"), alone.pop("seconds")
    assert_close({**outcome, "lrs": 0}, {**alone, "lrs": 0})
    np.testing.assert_allclose(outcome["kept"], alone["kept"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(outcome["trials"], alone["trials"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(outcome["suggestions"], alone["suggestions"], rtol=1e-3)


def test_a_comparison_is_the_same_on_all_workers(outcomes):
    outcome, alone = alike(in_order("compare", outcomes)), together.alone("compare")
    assert_close(outcome, alone)
    for found, expected in zip(outcome["judged"], alone["judged"]):
        np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)
    momenta, sizes = np.split(np.array(outcome["compared"][1]["rows"]), 2)
    assert [row["noise_scale"] for row in momenta] == [None, None]
    assert any(row["noise_scale"] for row in sizes)


def test_one_worker_writes_and_all_stop_and_go_on_together(outcomes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = in_order("stop_and_go_on", outcomes)
    ends = first.pop("end"), second.pop("end")
    outcome, end = alike([first, second]), alike(ends)
    names = ["run-0.checkpoint", "run-0.checkpoint.params", "run-0.checkpoint.states"]
    assert outcome["written"] == names
    assert [epoch["epoch"] for epoch in end["epochs"]] == [0, 1, 2]
    alone = together.alone("stop_and_go_on")
    assert_close(end, alone["end"])
    assert_close(outcome, alone)


def test_finish_and_extend_change_the_fit_of_all_workers(outcomes):
    outcome = alike(in_order("finish_and_extend", outcomes))
    assert (len(outcome["extended"]), len(outcome["lrs"])) == (3 * 7, 9 + 3)
    assert outcome["extended"] == together.alone("finish_and_extend")["extended"]


def test_the_noise_scale_of_two_workers_is_that_of_two_contexts(outcomes):
    outcome, alone = alike(in_order("measure_noise", outcomes)), together.alone("measure_noise")
    assert outcome["noise"] == pytest.approx(alone["noise"], rel=1e-3)
    assert outcome["noise"]["updates"] == 3 * (together.SAMPLES // together.BATCH_SIZE)
    assert outcome["value"] == pytest.approx(alone["value"], rel=1e-2)


def test_a_fit_takes_the_seconds_of_the_first_worker(outcomes):
    outcome = alike(in_order("fit_for_a_time", outcomes))
    lrs = outcome["lrs"]
    assert len(lrs) > 10
    assert max(lrs) > 0.4
    assert lrs[-1] < 0.05


def test_each_worker_predicts_all_samples_and_needs_no_other_for_it(outcomes):
    outcome, alone = alike(in_order("predict", outcomes)), together.alone("predict")
    assert_close(outcome, alone)
    assert outcome["labels"] == list(range(together.SAMPLES))
    np.testing.assert_allclose(outcome["outputs"], alone["outputs"], rtol=1e-4, atol=1e-5)


def test_an_estimator_with_handlers_trains_and_searches_as_one(outcomes):
    outcome, alone = alike(in_order("estimate", outcomes)), together.alone("estimate")
    assert_close(outcome, alone)


def test_after_a_fit_that_all_have_called_off_one_alone_may_read_and_save(outcomes):
    outcome, alone = alike(in_order("cancel_together", outcomes)), together.alone("cancel_together")
    assert_close(outcome, alone)


def test_a_trial_that_is_pruned_ends_the_fit_of_all_workers(outcomes):
    pytest.importorskip("optuna")
    outcome = alike(in_order("prune", outcomes))
    assert outcome["pruned"]
    assert [epoch["epoch"] for epoch in outcome["epochs"]] == [0, 1]
    assert (
        "`trial` must be of a study with the direction 'MAXIMIZE' for accuracy" in outcome["error"]
    )


def test_a_sigterm_to_one_worker_ends_all_and_they_go_on_bit_for_bit(outcomes):
    outcome = alike(in_order("fit_for_hours", outcomes))
    assert outcome["stopped"] == {"status": 143, "updates": 10, "loaded": 10}
    assert outcome["resumed"] == {name: outcome[name] for name in outcome["resumed"]}


def test_the_first_worker_alone_writes_and_each_epoch_once(outcomes):
    outcome = alike(in_order("fit_for_hours", outcomes))
    board = ["stopped-0.board"] * bool(importlib.util.find_spec("tensorboardX"))
    assert outcome["files"] == [*board, "stopped-0.checkpoint", "stopped-0.csv", "stopped-0.params"]
    epochs = outcome["epochs"]
    written = [{name: row[name] for name in epochs[0]} for row in outcome["rows"]]
    assert written == [{name: str(value) for name, value in one.items()} for one in epochs]
    straight, stopped = outcome["points"]
    assert straight == stopped
    if board:
        assert len(stopped["loss"]) == len(outcome["lrs"])
        assert len(stopped["valid_loss"]) == len(epochs)


@pytest.mark.parametrize("server", ["gluon_lr", "mxnet"])
def test_where_servers_update_a_schedule_works_and_all_else_says_so(server, tmp_path, monkeypatch):
    # from equal weights: MXNet takes its first gradients before it has those of the first worker
    options = "dist_sync", "by name"
    if server == "gluon_lr":
        outcomes = outcomes_of(["updates_on_server"], tmp_path, *options)
    elif sys.version_info >= (3, 12):
        pytest.skip("MXNet cannot be imported by itself on Python 3.12")
    else:
        monkeypatch.setattr(launch, "_SERVE", [sys.executable, "-c", "import mxnet"])
        script = [sys.executable, str(SCRIPT), "updates_on_server", str(tmp_path), *options]
        assert launch.launch(script, 2) == 0
        outcomes = written_to(tmp_path)
    outcome = alike(in_order("updates_on_server", outcomes))
    alone = together.alone("updates_on_server")
    for array, expected in zip(outcome["weights"], alone["weights"]):
        np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-6)
    assert len(outcome["errors"]) == 6
    for error in outcome["errors"].values():
        assert "`trainer` must be a trainer that updates the weights itself" in error
        assert "kvstore='dist_sync', update_on_kvstore=False" in error


def test_the_command_line_searches_in_workers_and_one_tells(tmp_path):
    search = [sys.executable, "-m", "gluon_lr", "find", "together:factory", "-o", "search.png"]
    status, output = run([*LAUNCH, *search], PYTHONPATH=os.pathsep.join(sys.path))
    assert status == 0, output
    assert output.count("suggested rate: ") == 1
    assert Path("search.png").exists()


def test_the_command_line_compares_in_workers_and_one_tells(capfd):
    search = ["--set", "wd=0,0.1", "--repeats", "1", "-o", "search.png"]
    assert fork_workers(lambda: cli.main(["compare", *search, "together:factory"])) == [0, 0]
    assert capfd.readouterr().out.count("suggestion") == 1
    assert Path("search.png").exists()


# -- faults --------------------------------------------------------------------------------------


def test_a_sigterm_to_the_launcher_has_the_workers_save(tmp_path):
    status, output = run([*LAUNCH, sys.executable, str(SCRIPT), "terminated", str(tmp_path)])
    assert status == 143, output
    first, second = (json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    assert first == second
    assert first["terminated"]["status"] == 143
    assert (tmp_path / "terminated.checkpoint").exists()


ENDED = "worker 1 of 2 has ended"


def other_call(name, updates):
    return (
        rf"must make the same calls, but worker \d of 2 is at '{name}' .* after {updates} updates"
    )


@pytest.mark.parametrize(
    ("scenario", "expected", "said"),
    [
        ("die", [-9, 1], ENDED),
        ("fail", [1, 1], other_call("the end of a fit", 17)),
        ("leave", [1, 1], other_call("the end of a fit", 17)),
        ("cancel", [1, 1], r"worker 0 .* 'the end of a fit' .* after 17 updates"),
        ("skip", [1, 1], other_call("losses", "2[01]")),
        ("ask", [1, 1], other_call("losses", 17)),
    ],
)
def test_a_worker_that_ends_or_goes_astray_ends_the_other_at_once(
    scenario, expected, said, tmp_path, capfd
):
    # which would wait for longer than this test, by default
    ended = fork_workers(lambda: together.main(scenario, tmp_path, "dist_sync", "by name"))
    output = capfd.readouterr().err
    assert ended == expected, output
    assert re.search(said, output)
    assert output.count("and the rate is 0.1\n") == 2 * (scenario != "die")
    assert ("KeyError: 'of the second worker'" in output) == (scenario == "fail")


def test_a_worker_that_has_died_is_noticed_at_the_end_of_the_others_program(tmp_path):
    """Whose status a shell keeps from the launcher, which would end it too."""
    script = f"{sys.executable} {SCRIPT} die_after_training {tmp_path} dist_sync by-name"
    _, output = run([*LAUNCH, "sh", "-c", f"{script}; echo $? > {tmp_path}/$$.status"])
    statuses = sorted(path.read_text().strip() for path in tmp_path.glob("*.status"))
    assert statuses == ["1", "137"], output
    assert ENDED in output


def test_a_worker_that_never_comes_ends_the_other_in_time(tmp_path, capfd):
    variables = {"DMLC_NUM_WORKER": "2", "GLUON_LR_TIMEOUT": PATIENCE}
    never_come = lambda: together.main("never_come", tmp_path, "dist_sync", "by name")  # noqa: E731
    assert fork_workers(never_come, 1, **variables) == [1]
    output = capfd.readouterr().err
    assert "a worker got no answer" in output
    assert "DMLC_NUM_WORKER is the number of workers that you started" in output


def trainer_of_another_library(library):
    """Return a trainer as that library's, or with a KVStore of its name."""
    net = together.make_net()
    net.initialize()
    if library.islower():
        kind = type("DistributedTrainer", (mx.gluon.Trainer,), {"__module__": f"{library}.mxnet"})
        return net, kind(net.collect_params(), "sgd", kvstore=None)
    return net, mx.gluon.Trainer(net.collect_params(), "sgd", kvstore=library)


@pytest.mark.parametrize("library", ["horovod", "byteps", "Horovod", "BytePS"])
def test_a_trainer_of_another_library_is_refused_where_it_would_train_alone(library):
    net, trainer = trainer_of_another_library(library)
    said = rf"Learner: `trainer` must be a trainer whose .* KVStore sums, got .*{library.lower()}"
    with pytest.raises(ValueError, match=said):
        Learner(net, together.make_loader(), trainer=trainer)
    iterates = SimpleNamespace(net=net, trainer=trainer, iteration=lambda lr: 1.0)
    with pytest.raises(ValueError, match=said):
        LRFinder(iterates).find(progress=False)
    scheduler = ParamScheduler({"lr": SchedLin(0.5, 0)}, trainer, length=3)
    scheduler.step()
    assert trainer.learning_rate == 0.5


@pytest.mark.parametrize("seconds", ["soon", "", "0", "nan", "1e300"])
def test_a_bad_time_to_wait(seconds, monkeypatch):
    net = together.make_net()
    net.initialize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd")
    monkeypatch.setenv("GLUON_LR_TIMEOUT", seconds)
    with pytest.raises(ValueError, match=r"Learner: `GLUON_LR_TIMEOUT` must be a number of sec"):
        Workers(trainer)
