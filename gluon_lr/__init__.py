"""The learning-rate toolkit for Apache MXNet Gluon: which rate, and how it should move."""

import pkgutil

import lazy_loader

from . import _before_mxnet, plotting

# MXNet takes seconds to import. So __init__.pyi lists which module has which name, and lazy_loader
# imports the module when the name is first used.
__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = sorted({*_names} - {module.name for module in pkgutil.iter_modules(__path__)})

_before_mxnet.restore_numpy_aliases()  # for an `import mxnet` that follows


def _drawn_above(name):
    """Return what users look for in `plotting`, which itself must not import these modules."""
    if name == "plot_schedule":
        return __getattr__("plot_schedule")
    if name == "plot_lr_find":
        return __getattr__("LRFinderResult").plot
    raise AttributeError(f"module {plotting.__name__!r} has no attribute {name!r}")


plotting.__getattr__ = _drawn_above

if _before_mxnet.is_serving():
    from ._mxnet import HAS_GLUON, serve

    if HAS_GLUON:
        for _name in __all__:  # an optimizer sent to the server may contain any class
            __getattr__(_name)
        serve()
