"""The learning-rate toolkit for Apache MXNet Gluon: which rate, and how it should move."""

from . import plotting
from ._mxnet import HAS_GLUON, serve
from ._version import __version__
from .hyper import (
    AnnealedSchedule,
    SchedCos,
    SchedExp,
    SchedLin,
    SchedNo,
    SchedPoly,
    annealer,
    combine_scheds,
    combined_cos,
)
from .schedules import (
    ClippedSchedule,
    ConstantSchedule,
    ConstantWarmUp,
    CosineAnnealingSchedule,
    CosineScheduler,
    CosineWarmUp,
    CyclicalSchedule,
    EpochSchedule,
    ExponentialScheduler,
    FactorScheduler,
    InverseSqrtScheduler,
    LinearCoolDown,
    LinearWarmUp,
    MultiFactorScheduler,
    OneCycleSchedule,
    PlateauScheduler,
    PolyScheduler,
    ScaledSchedule,
    Schedule,
    SequentialSchedule,
    TriangularSchedule,
    schedule,
)
from .schedules.plot import plot_schedule

if HAS_GLUON:
    from . import finder
    from .data import ContinuousBatchSampler
    from .distributed import Workers, WorkersLostError
    from .finder import (
        AllOf,
        AnyOf,
        Diverged,
        LRFinder,
        LRFinderResult,
        LRFinderStoppingCriteria,
        MaxIterations,
        MaxLR,
        NotFinite,
        Refusal,
        SearchState,
        StoppingCriterion,
        StopReason,
    )
    from .hyper import HyperParameters, ParamScheduler, flat_cos, one_cycle, sgdr
    from .learner import (
        Callback,
        CancelBatchException,
        CancelEpochException,
        CancelFitException,
        CancelValidateException,
        CheckpointCallback,
        EarlyStoppingCallback,
        EstimatorLearner,
        GradientAccumulation,
        GradientClip,
        Learner,
        LRScheduleHandler,
        OneCycleHandler,
        ParamSchedulerHandler,
        Recorder,
        SuggestedLRs,
    )
    from .learner.lr_find import lr_find
    from .state import load_checkpoint, preserved, save_checkpoint

__all__ = [
    "AllOf",
    "AnnealedSchedule",
    "AnyOf",
    "Callback",
    "CancelBatchException",
    "CancelEpochException",
    "CancelFitException",
    "CancelValidateException",
    "CheckpointCallback",
    "ClippedSchedule",
    "ConstantSchedule",
    "ConstantWarmUp",
    "ContinuousBatchSampler",
    "CosineAnnealingSchedule",
    "CosineScheduler",
    "CosineWarmUp",
    "CyclicalSchedule",
    "Diverged",
    "EarlyStoppingCallback",
    "EpochSchedule",
    "EstimatorLearner",
    "ExponentialScheduler",
    "FactorScheduler",
    "GradientAccumulation",
    "GradientClip",
    "HyperParameters",
    "InverseSqrtScheduler",
    "LRFinder",
    "LRFinderResult",
    "LRFinderStoppingCriteria",
    "LRScheduleHandler",
    "Learner",
    "LinearCoolDown",
    "LinearWarmUp",
    "MaxIterations",
    "MaxLR",
    "MultiFactorScheduler",
    "NotFinite",
    "OneCycleHandler",
    "OneCycleSchedule",
    "ParamScheduler",
    "ParamSchedulerHandler",
    "PlateauScheduler",
    "PolyScheduler",
    "Recorder",
    "Refusal",
    "ScaledSchedule",
    "SchedCos",
    "SchedExp",
    "SchedLin",
    "SchedNo",
    "SchedPoly",
    "Schedule",
    "SearchState",
    "SequentialSchedule",
    "StopReason",
    "StoppingCriterion",
    "SuggestedLRs",
    "TriangularSchedule",
    "Workers",
    "WorkersLostError",
    "__version__",
    "annealer",
    "combine_scheds",
    "combined_cos",
    "flat_cos",
    "load_checkpoint",
    "one_cycle",
    "preserved",
    "save_checkpoint",
    "schedule",
    "sgdr",
]

# A room imports from none above it. So names that users look for lower down are put there here.
plotting.plot_schedule = plot_schedule
if HAS_GLUON:
    plotting.plot_lr_find = LRFinderResult.plot
    finder.lr_find, finder.SuggestedLRs = lr_find, SuggestedLRs
    serve()
