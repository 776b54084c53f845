"""What peers' finders have and ours has not, with the reason."""

DECLINED_OF_FINDERS = {
    "pytorch-lr-finder: amp_backend, amp_config and grad_scaler of the finder": (
        "Mixed precision is a matter of the trainer: amp.init_trainer, which a search heeds."
    ),
    "pytorch-lr-finder: memory_cache and cache_dir, to keep the state on disk": (
        "The state is copied in memory; no file is written."
    ),
    "pytorch-lr-finder: reset(), to put net and optimizer back": (
        "find() puts all back by itself, also after an error or Ctrl-C."
    ),
    "pytorch-lr-finder: TrainDataLoaderIter and ValDataLoaderIter, to unpack batches": (
        "The Learner takes batches of any structure, and compute_loss for what it does not know."
    ),
    "pytorch-lr-finder: plot() returns the Axes and the rate together": (
        "plot() returns the Axes; the rate is result.suggestion."
    ),
    "pytorch-lr-finder: plot(log_lr=False)": "ax.set_xscale('linear') of what plot() returns.",
    "pytorch-lr-finder: non_blocking_transfer": "MXNet copies batches without waiting anyway.",
    "pytorch-lr-finder: smooth_f=0.05, the weight of the newest loss, in the recorded losses": (
        "result.losses are those of the iterations, so that each rule can smooth as it does; the "
        "criterion smooths by smoothing=0.3, the weight of the past."
    ),
    "ignite: attach() to an engine, which ends its run": (
        "find() is a call of its own; fit(cbs=LRFinder()) is there for who wants it in a fit."
    ),
    "ignite: num_iter=None means one pass over the data": (
        "A search needs about 100 iterations, whatever the data; find(num_iter=n) sets them."
    ),
    "ignite: a warning where the loss has not diverged by the end": (
        "result.reason says so, and a suggestion is as good without."
    ),
    "ignite: start_lr and end_lr as lists, one rate a group": (
        "lr_find(start_lr=[...], end_lr=[...]) has that; find() has one rate."
    ),
    "ignite: apply_suggested_lr(optimizer)": (
        "trainer.set_learning_rate(result.suggestion) is one line of MXNet's."
    ),
    "Lightning: attr_name and update_attr, to write the rate into hparams": (
        "result.suggestion is assigned where you want it."
    ),
    "Lightning: a lr_find.ckpt file that is written and restored": (
        "The state is copied in memory; no file is written."
    ),
    "Lightning: accumulate_grad_batches of the tuner": (
        "GradientAccumulation of the Learner counts in a search: one rate, one update."
    ),
}
