"""WHO trains together: the workers of a KVStore, and how they are started on one machine."""

from .workers import Workers, WorkersLostError

__all__ = ["Workers", "WorkersLostError"]
