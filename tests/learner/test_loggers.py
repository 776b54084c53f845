"""Callbacks that tell files and other programs of a fit."""

from pathlib import Path

import numpy as np
import pytest
from conftest import assert_same_arrays, weights
from fits import StopAfter, make_learner
from logs import points, rows

from gluon_lr import (
    CheckpointCallback,
    CSVLogger,
    OptunaPruningCallback,
    SaveModelCallback,
    ShowGraphCallback,
    TensorBoardCallback,
)

optuna = pytest.importorskip("optuna")
pytest.importorskip("tensorboardX")


def without_time(epochs):
    return [{name: str(v) for name, v in one.items() if name != "time"} for one in epochs]


# -- CSV ---------------------------------------------------------------------------------------


def test_a_line_an_epoch_is_in_the_file_at_once():
    learner = make_learner()
    learner.fit(1, 0.1, cbs=CSVLogger("log.csv"))
    assert without_time(rows()) == without_time(learner.recorder.epochs)
    learner.fit(2, 0.1, cbs=CSVLogger("log.csv"))
    assert without_time(rows()) == without_time(learner.recorder.epochs)
    assert [row["fit"] for row in rows()] == ["0", "1", "1"]


@pytest.mark.parametrize("event", ["after_batch", "after_epoch"])
@pytest.mark.parametrize("at", [1, 2])
def test_after_a_kill_each_epoch_is_there_once(at, event):
    calls = at * (4 if event == "after_batch" else 1) + (event == "after_batch")
    first = make_learner()
    first.fit(1, 0.1, cbs=CSVLogger("log.csv"))
    stopped = make_learner()
    with pytest.raises(KeyboardInterrupt):
        cbs = [CSVLogger("log.csv"), CheckpointCallback("run", 3), StopAfter(calls, event)]
        stopped.fit(3, 0.1, cbs=cbs)
    loaded = make_learner()
    loaded.load("run")
    loaded.resume(cbs=CSVLogger("log.csv"))
    epochs = [*first.recorder.epochs, *loaded.recorder.epochs]
    assert without_time(rows()) == without_time(epochs)


def test_other_metrics_have_columns_of_their_own():
    learner = make_learner()
    learner.fit(1, 0.1, cbs=CSVLogger("log.csv"))
    learner.metrics = ["acc", "ce"]
    learner.fit(1, 0.1, cbs=CSVLogger("log.csv"))
    assert [row["cross-entropy"] == "" for row in rows()] == [True, False]


def test_searches_and_trials_are_not_written():
    learner = make_learner(cbs=CSVLogger("log.csv"))
    learner.lr_find(num_it=5, show_plot=False)
    assert not Path("log.csv").exists()


# -- TensorBoard -------------------------------------------------------------------------------


def test_updates_and_epochs_are_shown():
    learner = make_learner()
    learner.fit_one_cycle(2, 0.1, cbs=TensorBoardCallback("tb", iterations=1))
    found, recorder = points(), learner.recorder
    assert list(found["loss"]) == list(range(1, 9))
    np.testing.assert_allclose(list(found["loss"].values()), recorder.losses, rtol=1e-6)
    for group in (0, 1):
        shown = list(found[f"lr/{group}"].values())
        np.testing.assert_allclose(shown, recorder.group_hps["lr"][:, group], rtol=1e-6)
    assert list(found["valid_loss"]) == [4, 8]
    shown = list(found["accuracy"].values())
    np.testing.assert_allclose(shown, [one["accuracy"] for one in recorder.epochs], rtol=1e-6)


def test_several_updates_are_one_point():
    learner = make_learner()
    learner.fit(1, 0.1, cbs=TensorBoardCallback("tb", iterations=3))
    losses = learner.recorder.losses
    found = points()["loss"]
    assert list(found) == [3, 4]
    np.testing.assert_allclose(list(found.values()), [losses[:3].mean(), losses[3]], rtol=1e-6)


def test_fits_go_on_in_one_curve_and_a_search_is_a_picture():
    learner, board = make_learner(), TensorBoardCallback("tb", iterations=2)
    learner.fit(1, 0.1, cbs=board)
    learner.lr_find(num_it=5, show_plot=False)
    learner.fit(1, 0.1, cbs=board)
    found = points()
    assert list(found["loss"]) == [2, 4, 6, 8]
    assert list(found["search"]) == [4]


@pytest.mark.parametrize("at", [3, 5, 7])
def test_a_resumed_fit_takes_the_place_of_what_was_lost(at):
    straight = make_learner()
    straight.fit(2, 0.1, cbs=TensorBoardCallback("straight", iterations=1))
    stopped = make_learner()
    with pytest.raises(KeyboardInterrupt):
        cbs = [TensorBoardCallback("tb", 1), CheckpointCallback("run", 2), StopAfter(at)]
        stopped.fit(2, 0.1, cbs=cbs)
    loaded = make_learner()
    loaded.load("run")
    loaded.resume(cbs=TensorBoardCallback("tb", iterations=1))
    assert points("tb") == points("straight")


def test_of_a_fit_at_tune_the_training_that_is_kept_is_told():
    cbs = [
        TensorBoardCallback("tb", iterations=3),
        CSVLogger("log.csv"),
        SaveModelCallback(path="best.params"),
        CheckpointCallback("run"),
    ]
    learner = make_learner()
    learner.fit(1, 0.1, cbs=cbs)
    before = rows()
    learner.fit_one_cycle(3, "tune", cbs=cbs)
    recorder, found = learner.recorder, points()
    assert without_time(rows()[1:]) == without_time(recorder.fit_epochs)
    assert rows()[:1] == before
    assert list(found["loss"]) == [3, 4, 7, 8, 11, 12, 15, 16]
    assert list(found["valid_loss"]) == [4, 8, 12, 16]
    shown = list(found["lr/1"].values())[2:]
    np.testing.assert_allclose(shown, recorder.lrs[[2, 3, 6, 7, 10, 11]], rtol=1e-6)
    for path, load in (("best.params", "load_params"), ("run", "load")):
        other = make_learner()
        getattr(other, load)(path)
        assert_same_arrays(weights(other), weights(learner))


@pytest.mark.parametrize("iterations", [0, -1, 1.5])
def test_bad_iterations(iterations):
    with pytest.raises((TypeError, ValueError), match="TensorBoardCallback: `iterations` must be"):
        TensorBoardCallback("tb", iterations)


@pytest.mark.parametrize(
    ("make", "package"),
    [
        (lambda: TensorBoardCallback("tb"), "tensorboardX"),
        (lambda: OptunaPruningCallback(None), "optuna"),
    ],
)
def test_a_package_that_is_missing_is_named_with_the_remedy(make, package, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(ImportError, match=rf"{package} is not installed\. .* install {package} "):
        make()


# -- Optuna ------------------------------------------------------------------------------------


def study(direction="minimize", **more):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(direction=direction, **more)


def test_a_trial_hears_each_epoch_and_is_pruned():
    pruner = optuna.pruners.ThresholdPruner(upper=1e-9, n_warmup_steps=1)
    learners = []

    def objective(trial):
        learner = make_learner()
        learners.append(learner)
        learner.fit(4, 0.1, cbs=OptunaPruningCallback(trial, "valid_loss"))
        return learner.recorder.epochs[-1]["valid_loss"]

    one = study(pruner=pruner)
    one.optimize(objective, n_trials=1)
    (trial,) = one.trials
    assert trial.state is optuna.trial.TrialState.PRUNED
    losses = [epoch["valid_loss"] for epoch in learners[0].recorder.epochs]
    assert list(trial.intermediate_values.values()) == losses
    assert len(losses) == 2


def test_one_that_is_not_pruned_ends_as_it_would_have():
    plain = make_learner()
    plain.fit(2, 0.1)
    learner = make_learner()
    trial = study().ask()
    learner.fit(2, 0.1, cbs=OptunaPruningCallback(trial))
    assert_same_arrays(weights(learner), weights(plain))


def test_a_study_of_the_other_direction_is_refused():
    learner = make_learner()
    with pytest.raises(ValueError, match="OptunaPruningCallback: `trial` must be of a study with"):
        learner.fit(1, 0.1, cbs=OptunaPruningCallback(study().ask(), "accuracy"))


# -- a picture in a notebook -------------------------------------------------------------------


def test_outside_a_notebook_nothing_is_drawn(capsys):
    learner = make_learner()
    learner.fit(1, 0.1, cbs=ShowGraphCallback())
    assert capsys.readouterr().out == ""
