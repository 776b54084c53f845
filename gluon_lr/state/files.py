"""Files that are written completely or not at all."""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Callable, Optional, Union

PathLike = Union[str, "os.PathLike[str]"]

_LONGEST = 100  # bytes of the target's name in a partial file's name, which may have 255
_ATTEMPTS = 100  # attempts to write, if other writers delete the file as a leftover
_UNIQUE = 8  # random bytes in a partial file's name
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP)  # errors of a file system that cannot sync a directory


def write_whole(path: PathLike, write: Callable[[str], object]) -> None:
    """Let `write` make a new file, and move it to `path` when it is on the disk.

    After an error the old file is unchanged. The new file gets the mode of the old one and, if
    this is allowed, its group. A symlink stays, and its target is replaced. If `path` is not a
    regular file, for example a FIFO, `write` writes directly into it.

    Until then the new file is hidden beside the old one, with the ending '.partial'. The next
    write to `path` removes such a file of a killed process.

    Parameters
    ----------
    path : str or path
        The file. It need not exist, but its folder must.
    write : callable
        Gets the name of an empty file, as a string, and writes into it. It may replace this file
        by another, but other writers to `path` may then delete that one as a leftover.

    Raises
    ------
    OSError
        If the file cannot be written. IsADirectoryError, or FileNotFoundError for a missing
        folder, come before `write` is called.
    """
    path = Path(path).absolute()
    old = _status(path)
    if old is not None and stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if old is not None and not stat.S_ISREG(old.st_mode):
        write(str(path))
        return
    target = Path(os.path.realpath(path))
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _remove_partials_of_the_dead(target)
        _replace(target, write, old)
        _sync_directory(folder)
    finally:
        os.close(folder)


def _status(path: Path) -> Optional[os.stat_result]:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _replace(target: Path, write: Callable[[str], object], old: Optional[os.stat_result]) -> None:
    for _ in range(_ATTEMPTS):
        partial = target.with_name(f"{_prefix(target)}{secrets.token_hex(_UNIQUE)}.partial")
        try:
            if _write_and_move(partial, target, write, old):
                return
        finally:
            partial.unlink(missing_ok=True)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(partial))


def _write_and_move(
    partial: Path, target: Path, write: Callable[[str], object], old: Optional[os.stat_result]
) -> bool:
    lock = _create_locked(partial, old)
    try:
        if not partial.exists():  # another writer locked it first and deleted it
            return False
        write(str(partial))
        given, written = os.fstat(lock), _status(partial)
        if written is None or not os.path.samestat(given, written):
            other = _lock(partial, stat.S_IMODE(given.st_mode))
            if other is None:
                return False
            try:
                os.dup2(other, lock, inheritable=False)
            finally:
                os.close(other)
        _finish(partial, old)
        os.replace(partial, target)
        return True
    finally:
        os.close(lock)


def _create_locked(partial: Path, old: Optional[os.stat_result]) -> int:
    """Create an empty file and lock it, as long as its writer lives and has it open."""
    mode = 0o666 if old is None else stat.S_IMODE(old.st_mode) | stat.S_IRUSR | stat.S_IWUSR
    return _locked(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode))


def _lock(partial: Path, mode: int) -> Optional[int]:
    """Lock the file with which `write` has replaced the given one.

    Return None if another writer has deleted it as a leftover.
    """
    try:
        file = _locked(os.open(partial, os.O_RDWR))
    except FileNotFoundError:
        return None
    os.fchmod(file, mode)
    if partial.exists():
        return file
    os.close(file)
    return None


def _locked(file: int) -> int:
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _finish(partial: Path, old: Optional[os.stat_result]) -> None:
    """Give the file the group and mode of the old one, and wait until it is on the disk."""
    file = os.open(partial, os.O_RDONLY)
    try:
        if old is not None:
            with contextlib.suppress(PermissionError):  # a group that the user is not in
                os.chown(file, -1, old.st_gid)
            os.chmod(file, stat.S_IMODE(old.st_mode))
        os.fsync(file)
    finally:
        os.close(file)


def _prefix(target: Path) -> str:
    return f".{os.fsencode(target.name)[:_LONGEST].decode(errors='ignore')}."


def _remove_partials_of_the_dead(target: Path) -> None:
    name = re.compile(rf"{re.escape(_prefix(target))}[0-9a-f]{{{2 * _UNIQUE}}}\.partial")
    for other in os.listdir(target.parent):
        if name.fullmatch(other):
            with contextlib.suppress(OSError):  # locked, already removed, or another user's
                _remove_unless_locked(target.with_name(other))


def _remove_unless_locked(partial: Path) -> None:
    file = os.open(partial, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        partial.unlink()
    finally:
        os.close(file)


def _sync_directory(folder: int) -> None:
    """Wait until the new name is on the disk."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
