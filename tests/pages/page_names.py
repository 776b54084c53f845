"""The names on the pages that people come from, and where ours differ, with the reason.

A signature is as the page has it. What differs is given by parameter, or by "name" for the whole.
"""

from types import MappingProxyType
from typing import Mapping, NamedTuple

import gluon_lr
import gluon_lr.annealing
from gluon_lr import finder
from gluon_lr._mxnet import mx

MADE_OF = "it is made of a net and its data"
BY_KEYWORD = "by keyword here, as the versions of fastai have different things at its place"


class Name(NamedTuple):
    """A name on a page: its signature there, what it is here, and how that differs, and why."""

    page: str
    ours: str
    differs: Mapping[str, str] = MappingProxyType({})
    attributes: str = ""


FASTAI_2 = [
    Name("annealer(f)", "annealer"),
    Name("sched_lin(start, end, pos)", "annealing.sched_lin"),
    Name("sched_cos(start, end, pos)", "annealing.sched_cos"),
    Name("sched_no(start, end, pos)", "annealing.sched_no"),
    Name("sched_exp(start, end, pos)", "annealing.sched_exp"),
    Name("SchedLin(start, end)", "SchedLin"),
    Name("SchedCos(start, end)", "SchedCos"),
    Name("SchedNo(start, end)", "SchedNo"),
    Name("SchedExp(start, end)", "SchedExp"),
    Name("SchedPoly(start, end, power)", "SchedPoly"),
    Name("combine_scheds(pcts, scheds)", "combine_scheds"),
    Name("combined_cos(pct, start, middle, end)", "combined_cos"),
    Name("ParamScheduler(scheds)", "ParamScheduler", attributes="scheds hps"),
    Name("ParamScheduler.before_fit()", "ParamScheduler.before_fit"),
    Name("ParamScheduler.before_batch()", "ParamScheduler.before_batch"),
    Name("ParamScheduler.after_batch()", "ParamScheduler.after_batch"),
    Name("ParamScheduler.after_fit()", "ParamScheduler.after_fit"),
    Name("Learner.fit(n_epoch, lr=None, wd=None, cbs=None, reset_opt=False)", "Learner.fit"),
    Name(
        "Learner.fit_one_cycle(n_epoch, lr_max=None, div=25.0, div_final=100000.0, "
        "pct_start=0.25, wd=None, moms=None, cbs=None, reset_opt=False)",
        "Learner.fit_one_cycle",
    ),
    Name("Recorder.plot_sched(keys=None, figsize=None)", "Recorder.plot_sched"),
    Name(
        "Learner.fit_flat_cos(n_epoch, lr=None, div_final=100000.0, pct_start=0.75, wd=None, "
        "cbs=None, reset_opt=False)",
        "Learner.fit_flat_cos",
    ),
    Name(
        "Learner.fit_sgdr(n_cycles, cycle_len, lr_max=None, cycle_mult=2, cbs=None, "
        "reset_opt=False, wd=None)",
        "Learner.fit_sgdr",
    ),
    Name(
        "Learner.fine_tune(epochs, base_lr=0.002, freeze_epochs=1, lr_mult=100, pct_start=0.3, "
        "div=5.0, lr_max=None, div_final=100000.0, wd=None, moms=None, cbs=None, "
        "reset_opt=False)",
        "Learner.fine_tune",
        {"name": "`lr_max` is the highest rate of the second part; given to fastai's, it raises"},
    ),
    Name("Learner.freeze()", "Learner.freeze"),
    Name("Learner.freeze_to(n)", "Learner.freeze_to"),
    Name("Learner.unfreeze()", "Learner.unfreeze"),
    Name(
        "LRFinder(start_lr=1e-07, end_lr=10, num_it=100, stop_div=True)",
        "LRFinder",
        {
            "start_lr": "its place is that of the tutorial's `learner` too: its type tells which",
            "name": "a Callback, no ParamScheduler",
        },
        "result",
    ),
    Name("LRFinder.before_fit()", "LRFinder.before_fit"),
    Name("LRFinder.before_batch()", "LRFinder.before_batch"),
    Name("LRFinder.after_batch()", "LRFinder.after_batch"),
    Name("LRFinder.before_validate()", "LRFinder.before_validate"),
    Name("Recorder.plot_lr_find(skip_end=5)", "Recorder.plot_lr_find"),
    Name(
        "Learner.lr_find(start_lr=1e-07, end_lr=10, num_it=100, stop_div=True, show_plot=True, "
        "suggestions=True)",
        "Learner.lr_find",
    ),
    Name(
        "Learner.lr_find(..., suggest_funcs=SuggestionMethod.Valley)",
        "Learner.lr_find",
        {
            "suggest_funcs": "None here, for the page's two values; `valley` and the others are "
            "attributes all the same. It may stand in the place of `suggestions`, too"
        },
    ),
    Name("minimum(lrs, losses, num_it)", "minimum"),
    Name("steep(lrs, losses, num_it)", "steep"),
    Name("valley(lrs, losses, num_it)", "valley"),
    Name(
        "slide(lrs, losses, num_it, lr_diff=15, thresh=0.005, adjust_value=1.0)",
        "slide",
        {"adjust_value": "left out: multiply what it returns"},
    ),
    Name("Learner.no_logging()", "Learner.no_logging"),
    Name("Learner.no_bar()", "Learner.no_bar"),
    Name(
        "Learner",
        "Learner",
        {"name": f"{MADE_OF}: `Learner(net, data_loader, valid_loader=...)`"},
        "model dls opt loss_func lr n_epoch recorder pct_train",
    ),
    Name("learn.dls.one_batch()", "learner.fastai_names.DataLoaders.one_batch"),
    Name(
        "learn.opt.state_dict()",
        "learner.fastai_names.OptimizerOfLearner.state_dict",
        {
            "name": "`grad_avg`, `sqr_avg`, `step` of Adam; MXNet's other optimizers keep other "
            "things, so theirs are `state_0`, `state_1`"
        },
    ),
    Name("learn.opt.clear_state()", "learner.fastai_names.OptimizerOfLearner.clear_state"),
    Name("learn.opt.set_hyper(key, value)", "learner.fastai_names.OptimizerOfLearner.set_hyper"),
    Name(
        "Recorder",
        "Recorder",
        {"name": "`losses` are not smoothed"},
        "hps lrs losses values",
    ),
]

FASTAI_1 = [
    Name(
        "lr_find(learn, start_lr=1e-07, end_lr=10, num_it=100, stop_div=True, wd=None)",
        "finder.lr_find",
    ),
    Name(
        "Learner.lr_find(start_lr=1e-07, end_lr=10, num_it=100, stop_div=True, wd=None)",
        "Learner.lr_find",
        {"wd": BY_KEYWORD + "; a number there raises a TypeError"},
    ),
    Name(
        "Recorder.plot(skip_start=10, skip_end=5, suggestion=False)",
        "Recorder.plot",
        {"name": "prints its `Min numerical gradient` as there"},
        "min_grad_lr",
    ),
    Name(
        "LRFinder.on_train_begin(pbar)",
        "LRFinder.before_fit",
        {"pbar": "no bar is handed over", "name": "fastai 2's event"},
    ),
    Name("LRFinder.on_batch_end()", "LRFinder.after_batch", {"name": "fastai 2's event"}),
    Name("LRFinder.on_epoch_end()", "LRFinder.before_validate", {"name": "fastai 2's event"}),
    Name("LRFinder.on_train_end()", "LRFinder.after_fit", {"name": "fastai 2's event"}),
]

TUTORIALS = [
    Name(
        "mx.lr_scheduler.FactorScheduler(step, factor=1, stop_factor_lr=1e-8, base_lr=0.01, "
        "warmup_steps=0, warmup_begin_lr=0, warmup_mode='linear')",
        "FactorScheduler",
        attributes="base_lr",
    ),
    Name(
        "mx.lr_scheduler.MultiFactorScheduler(step, factor=1, base_lr=0.01, warmup_steps=0, "
        "warmup_begin_lr=0, warmup_mode='linear')",
        "MultiFactorScheduler",
    ),
    Name(
        "mx.lr_scheduler.PolyScheduler(max_update, base_lr=0.01, pwr=2, final_lr=0, "
        "warmup_steps=0, warmup_begin_lr=0, warmup_mode='linear')",
        "PolyScheduler",
    ),
    Name(
        "mx.lr_scheduler.CosineScheduler(max_update, base_lr=0.01, final_lr=0, warmup_steps=0, "
        "warmup_begin_lr=0, warmup_mode='linear')",
        "CosineScheduler",
    ),
    Name(
        "plot_schedule(schedule_fn, iterations=1500)",
        "plot_schedule",
        {
            "schedule_fn": "`schedules` here, as it takes several; its place is the same",
            "iterations": "as many as the schedule lasts; 1500 for a function",
            "name": "draws a line, and shows it in a script where `show=True`",
        },
    ),
    Name(
        "CosineAnnealingSchedule(min_lr, max_lr, cycle_length)",
        "CosineAnnealingSchedule",
        attributes="min_lr max_lr cycle_length",
    ),
    Name(
        "TriangularSchedule(min_lr, max_lr, cycle_length, inc_fraction=0.5)",
        "TriangularSchedule",
        attributes="min_lr max_lr cycle_length inc_fraction",
    ),
    Name(
        "LinearWarmUp(schedule, start_lr, length)",
        "LinearWarmUp",
        {"name": "a `length` of 0 is no warm-up; the tutorial's divides by it at iteration 0"},
        "schedule start_lr finish_lr length",
    ),
    Name(
        "LinearCoolDown(schedule, finish_lr, start_idx, length)",
        "LinearCoolDown",
        attributes="schedule start_lr finish_lr start_idx finish_idx length",
    ),
    Name(
        "OneCycleSchedule(start_lr, max_lr, cycle_length, cooldown_length=0, finish_lr=None)",
        "OneCycleSchedule",
        attributes="schedule",
    ),
    Name(
        "CyclicalSchedule(schedule_class, cycle_length, cycle_length_decay=1, "
        "cycle_magnitude_decay=1, **kwargs)",
        "CyclicalSchedule",
        attributes="schedule_class length length_decay magnitude_decay kwargs",
    ),
    Name(
        "Learner(net, data_loader, ctx)",
        "Learner",
        {
            "name": "its rate is MXNet's own 0.01, the tutorial's 0.001: give it "
            "`optimizer_params`; a net that is initialised stays as it is",
        },
        "net data_loader ctx data_loader_iter loss_fn trainer iteration_loss",
    ),
    Name(
        "Learner.iteration(lr=None, take_step=True)",
        "Learner.iteration",
        {"name": "an `lr` of 0 is a rate; the tutorial's ignores it"},
    ),
    Name("Learner.close()", "Learner.close"),
    Name("ContinuousBatchSampler(sampler, batch_size)", "ContinuousBatchSampler"),
    Name("LRFinder(learner)", "LRFinder", attributes="learner results"),
    Name(
        "LRFinder.find(lr_start=1e-06, lr_multiplier=1.1, smoothing=0.3)",
        "LRFinder.find",
        {"name": "ends at `lr_end=10` too, and where a loss is not finite; writes no files"},
    ),
    Name("LRFinder.plot()", "LRFinder.plot", {"name": "shows in a script where `show=True`"}),
    Name(
        "LRFinderStoppingCriteria(smoothing=0.3, min_iter=20)",
        "LRFinderStoppingCriteria",
        {"name": "a spike alone, or a loss that starts below 0 or near it, does not stop it"},
        "smoothing min_iter first_loss running_mean counter",
    ),
]

PAGES = {
    "MXNet's tutorials": TUTORIALS,
    "fastai 2, callback.schedule": FASTAI_2,
    "fastai 1, callbacks.lr_finder": FASTAI_1,
}


def ours(name):
    """Return what a name of ours means."""
    value = gluon_lr
    for part in name.split("."):
        value = getattr(value, part)
    return value


def examples():
    """Return one of each class whose attributes the pages read."""
    net = mx.gluon.nn.Dense(2, in_units=2)
    batches = [(mx.nd.ones((2, 2)), mx.nd.zeros(2))]
    learner = gluon_lr.Learner(net, batches)
    triangle = gluon_lr.TriangularSchedule(1, 2, 10)
    searched = gluon_lr.LRFinder(learner)
    searched.find(num_iter=3, progress=False)
    return {
        "CosineAnnealingSchedule": gluon_lr.CosineAnnealingSchedule(1, 2, 10),
        "CyclicalSchedule": gluon_lr.CyclicalSchedule(
            gluon_lr.TriangularSchedule, 10, min_lr=1, max_lr=2
        ),
        "FactorScheduler": gluon_lr.FactorScheduler(10),
        "LRFinder": searched,
        "LRFinderStoppingCriteria": gluon_lr.LRFinderStoppingCriteria(),
        "Learner": learner,
        "LinearCoolDown": gluon_lr.LinearCoolDown(triangle, 0, 5, 5),
        "LinearWarmUp": gluon_lr.LinearWarmUp(triangle, 0, 5),
        "OneCycleSchedule": gluon_lr.OneCycleSchedule(1, 2, 10),
        "ParamScheduler": gluon_lr.ParamScheduler({}),
        "Recorder": learner.recorder,
        "Recorder.plot": learner.recorder,
        "TriangularSchedule": triangle,
        "finder": finder,
    }
