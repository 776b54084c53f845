"""What training IS: its state, kept in memory or in a file, and restored."""

from .checkpoint import load_checkpoint, save_checkpoint
from .snapshot import preserved

__all__ = ["load_checkpoint", "preserved", "save_checkpoint"]
