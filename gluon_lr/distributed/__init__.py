"""WHO trains together: the workers of a KVStore, and a launcher for one machine."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # launch needs no MXNet
