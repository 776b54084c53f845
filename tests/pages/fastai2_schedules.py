from gluon_lr import (
    LRFinder,
    ParamScheduler,
    SchedCos,
    SchedExp,
    SchedLin,
    SchedNo,
    SchedPoly,
    combine_scheds,
    combined_cos,
)

names = ["none", "linear", "cosine", "exponential"]
positions = np.linspace(0.0, 1, 100)
kinds = [SchedNo, SchedLin, SchedCos, SchedExp]

for kind, name in zip(kinds, names):
    plt.plot(positions, [kind(2, 1e-2)(p) for p in positions], label=name)
curve = SchedPoly(2, 1e-2, 0.5)
plt.plot(positions, [curve(p) for p in positions], label="poly")
plt.legend()

curve = SchedLin(0, 2)
same(list(map(curve, QUARTERS)), [0.0, 0.5, 1.0, 1.5, 2.0])

curve = SchedCos(0, 2)
close(list(map(curve, QUARTERS)), [0.0, 0.29289, 1.0, 1.70711, 2.0])

curve = SchedNo(0, 2)
close(list(map(curve, QUARTERS)), [0.0, 0.0, 0.0, 0.0, 0.0])

curve = SchedExp(1, 2)
close(list(map(curve, QUARTERS)), [1.0, 1.18921, 1.41421, 1.68179, 2.0])

curve = SchedPoly(0, 2, 2)
close(list(map(curve, QUARTERS)), [0.0, 0.125, 0.5, 1.125, 2.0])

positions = np.linspace(0.0, 1, 100)
powers = [0.5, 1.0, 2.0]
for power in powers:
    curve = SchedPoly(2, 0, power)
    plt.plot(positions, [curve(p) for p in positions], label=f"{power}")
plt.legend()

positions = np.linspace(0.0, 1, 100)
curve = combine_scheds([0.3, 0.7], [SchedCos(0.3, 0.6), SchedCos(0.6, 0.2)])
plt.plot(positions, [curve(p) for p in positions])

positions = np.linspace(0.0, 1, 100)
curve = combine_scheds([0.3, 0.2, 0.5], [SchedLin(0.0, 1.0), SchedNo(1.0, 1.0), SchedCos(1.0, 0.0)])
plt.plot(positions, [curve(p) for p in positions])

curve = combined_cos(0.25, 0.5, 1.0, 0.0)
plt.plot(positions, [curve(p) for p in positions])

learn = a_learner()
scheds = {"lr": SchedLin(1e-3, 1e-2)}
learn.fit(1, cbs=ParamScheduler(scheds))
count = len(learn.dls.train)
close(learn.recorder.hps["lr"], [1e-3 + (1e-2 - 1e-3) * i / count for i in range(count)])

learn = a_learner(lr=1e-2)
inputs, labels = learn.dls.one_batch()
loss_before = learn.loss_func(learn.model(inputs), labels)
learn.fit_one_cycle(2)
inputs, labels = learn.dls.one_batch()
loss_after = learn.loss_func(learn.model(inputs), labels)
assert loss_after < loss_before

rates, momenta = learn.recorder.hps["lr"], learn.recorder.hps["mom"]
close(rates, [combined_cos(0.25, 1e-2 / 25, 1e-2, 1e-7)(i / 20) for i in range(20)])
close(momenta, [combined_cos(0.25, 0.95, 0.85, 0.95)(i / 20) for i in range(20)])

learn = a_learner()
learn.fit_one_cycle(2)

learn.recorder.plot_sched()

learn = a_learner()
learn.fit_flat_cos(2)

learn.recorder.plot_sched()

learn = a_learner()
with learn.no_logging():
    learn.fit_sgdr(3, 1)
same(learn.n_epoch, 7)
bounds = [epochs * len(learn.dls.train) for epochs in [0, 1, 3, 7]]
for first, last in zip(bounds, bounds[1:]):
    length = last - first
    expected = [SchedCos(learn.lr, 0)(k / length) for k in range(1, length)]
    close(learn.recorder.lrs[first + 1 : last], expected)
learn.recorder.plot_sched()

learn.fine_tune(1)

with TemporaryDirectory() as folder:
    learn = a_learner(folder)
    slope, offset = parameters_of(learn.model)
    with learn.no_logging():
        learn.fit(20, cbs=LRFinder(num_it=100))
    assert len(learn.recorder.lrs) <= 100
    same(len(learn.recorder.lrs), len(learn.recorder.losses))
    if len(learn.recorder.lrs) < 100:
        assert learn.recorder.losses[-1] > 4 * min(learn.recorder.losses)
    same(learn.recorder.lrs, [SchedExp(1e-7, 10)(i / 100) for i in range(len(learn.recorder.lrs))])
    same([len(one) for one in learn.recorder.values], [1 for _ in learn.recorder.values])
    same(parameters_of(learn.model), (slope, offset))
    same(learn.opt.state_dict()["state"], [{}, {}])

with TemporaryDirectory() as folder:
    learn = a_learner(folder)
    lr_min, lr_steep = learn.lr_find()
print(f"a tenth of the lowest: {lr_min:.2e}, steepest: {lr_steep:.2e}")
