"""How a public name goes: it still works, and warns with what to write instead."""

import warnings


def warn_deprecated(old: str, instead: str, removed_in: str, stacklevel: int = 3) -> None:
    """Warn that a name or an argument will go.

    Parameters
    ----------
    old : str
        What the caller wrote, ``"LRFinder.find: `smooth`"`` for example.
    instead : str
        What to write.
    removed_in : str
        The version that will not have it.
    stacklevel : int
        Whose line the warning names: by default that of the caller of the function that calls this.
    """
    warnings.warn(
        f"{old} is deprecated, and gluon_lr {removed_in} will not have it. Use {instead}.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )
