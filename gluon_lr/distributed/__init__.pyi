from .exchange import WorkersLostError
from .workers import Workers

__all__ = ["Workers", "WorkersLostError"]
