"""Curves over a position from 0 to 1, with fastai's names: see :mod:`gluon_lr.hyper.annealing`."""

from .hyper.annealing import *  # noqa: F403 - users import from here
from .hyper.annealing import Curve as Curve
from .hyper.annealing import __all__  # noqa: F401
