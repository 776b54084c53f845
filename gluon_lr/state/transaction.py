"""A block after which something is put back, whatever happens in it."""

import contextlib
from typing import Callable, Iterator


@contextlib.contextmanager
def afterwards(put_back: Callable[[], object]) -> Iterator[None]:
    """Call `put_back` at the end of the block, after an exception or Ctrl-C too.

    Parameters
    ----------
    put_back : callable
        Without arguments. Where Ctrl-C interrupts it, it is called again before that counts.
    """
    try:
        yield
    finally:
        _to_its_end(put_back)


def _to_its_end(action: Callable[[], object]) -> None:
    try:
        action()
    except KeyboardInterrupt:
        _to_its_end(action)
        raise
