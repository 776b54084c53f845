"""What can be done during a fit, at its events: a file a purpose."""

from .base import Callback, CancelFitException
from .checkpoint import CheckpointCallback
from .early_stopping import EarlyStoppingCallback

__all__ = ["Callback", "CancelFitException", "CheckpointCallback", "EarlyStoppingCallback"]
