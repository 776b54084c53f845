learn.lr_find(stop_div=False, num_it=200)
learn.recorder.plot()

learn = a_learner()
learn = a_learner()
a_learner().fit(2, 1e-3)

learn.lr_find(stop_div=False, num_it=200)
learn.recorder.plot(suggestion=True)

min_grad_lr = learn.recorder.min_grad_lr
min_grad_lr
learn = a_learner()
a_learner().fit(2, min_grad_lr)
