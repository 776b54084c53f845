"""Changing hyper-parameters during training: curves, parameter groups and training policies."""

from .._mxnet import HAS_GLUON
from .annealed import AnnealedSchedule
from .annealing import (
    SchedCos,
    SchedExp,
    SchedLin,
    SchedNo,
    SchedPoly,
    ScheduledCurve,
    annealer,
    combine_scheds,
    combined_cos,
)

if HAS_GLUON:
    from .parameters import HyperParameters
    from .policies import flat_cos, one_cycle, sgdr
    from .scheduling import ParamScheduler

__all__ = [
    "AnnealedSchedule",
    "HyperParameters",
    "ParamScheduler",
    "SchedCos",
    "SchedExp",
    "SchedLin",
    "SchedNo",
    "SchedPoly",
    "ScheduledCurve",
    "annealer",
    "combine_scheds",
    "combined_cos",
    "flat_cos",
    "one_cycle",
    "sgdr",
]
