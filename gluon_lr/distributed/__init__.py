"""WHO trains together: the workers of a KVStore, and how they are started on one machine."""

from .exchange import WorkersLostError
from .workers import Workers

__all__ = ["Workers", "WorkersLostError"]
