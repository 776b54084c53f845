"""Deprecation of public names: they still work, but warn and name the replacement."""

import warnings


def warn_deprecated(old: str, instead: str, removed_in: str, stacklevel: int = 3) -> None:
    """Warn that a name or an argument will be removed.

    Parameters
    ----------
    old : str
        What the caller wrote, for example ``"LRFinder.find: `smooth`"``.
    instead : str
        What to write instead.
    removed_in : str
        The first version without it.
    stacklevel : int
        Which line the warning names. By default, it is the line that calls the deprecated function.
    """
    warnings.warn(
        f"{old} is deprecated and will be removed in gluon_lr {removed_in}. Use {instead}.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )
