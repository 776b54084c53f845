"""Callbacks for the events of a fit."""

from ...events import (
    Callback,
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    CancelValidateException,
)
from ...training.noise_scale import GradientNoiseScale
from .averages import EMA, SWA
from .checkpoint import CheckpointCallback
from .csv_logger import CSVLogger
from .early_stopping import EarlyStoppingCallback
from .finish_on_interrupt import FinishOnInterrupt
from .gradients import GradientAccumulation, GradientClip
from .not_a_number import TerminateOnNaN
from .optuna_pruning import OptunaPruningCallback
from .progress import ProgressCallback
from .reduce_lr import ReduceLROnPlateau
from .save_model import SaveModelCallback
from .show_graph import ShowGraphCallback
from .tensorboard import TensorBoardCallback
from .tracker import TrackerCallback

__all__ = [
    "EMA",
    "SWA",
    "CSVLogger",
    "Callback",
    "CancelBatchException",
    "CancelEpochException",
    "CancelFitException",
    "CancelValidateException",
    "CheckpointCallback",
    "EarlyStoppingCallback",
    "FinishOnInterrupt",
    "GradientAccumulation",
    "GradientClip",
    "GradientNoiseScale",
    "OptunaPruningCallback",
    "ProgressCallback",
    "ReduceLROnPlateau",
    "SaveModelCallback",
    "ShowGraphCallback",
    "TensorBoardCallback",
    "TerminateOnNaN",
    "TrackerCallback",
]
