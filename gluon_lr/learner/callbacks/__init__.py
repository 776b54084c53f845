"""What can be done during a fit, at its events: a file a purpose."""

from .base import Callback, CancelFitException, CheckpointCallback, EarlyStoppingCallback

__all__ = ["Callback", "CancelFitException", "CheckpointCallback", "EarlyStoppingCallback"]
