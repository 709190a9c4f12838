"""Locks of open files: `fcntl.flock` on POSIX, `msvcrt.locking` on Windows; the operating system releases those of an ended process.

A lock is taken on a file that is already open. Hence a test for a lock creates no file and needs no right to write, and the text of
a locked file, which names its holder, stays readable.
"""

import os

_FAR = 2**30
"""Offset of the byte that is locked on Windows, where a locked byte cannot be read: far behind the text of the file."""


def lock(file: int, *, shared: bool = False) -> None:
    """Lock an open file, given by its descriptor, until `unlock` or until it is closed.

    Shared locks exclude only exclusive ones (on Windows every lock is exclusive). Raises BlockingIOError if another process holds the
    lock, and another OSError if the file system has no locks.
    """
    try:
        import fcntl
    except ImportError:
        _lock_byte(file, unlock=False)
    else:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def unlock(file: int) -> None:
    """Release the lock of an open file; closing it does so too, but on Windows not at once."""
    try:
        import fcntl
    except ImportError:
        _lock_byte(file, unlock=True)
    else:
        fcntl.flock(file, fcntl.LOCK_UN)


def _lock_byte(file: int, unlock: bool) -> None:
    import msvcrt

    place = os.lseek(file, 0, os.SEEK_CUR)
    os.lseek(file, _FAR, os.SEEK_SET)
    try:
        msvcrt.locking(file, msvcrt.LK_UNLCK if unlock else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except PermissionError as error:  # what Windows says of a lock that is held
        raise BlockingIOError(error.errno, error.strerror) from error
    finally:
        os.lseek(file, place, os.SEEK_SET)
