"""Keeps off the terminal what Orbax leaves behind a checkpoint that it could not write or read.

A checkpoint is written and read array by array, side by side. When one array fails (a full disk, a damaged file), Orbax raises its
error, which is reported, and closes the event loop under the others. Those then find the loop closed, or end in errors of their own
for which nobody asks any more, and Python prints a traceback for each: 33 of them for one full disk.
"""

import logging
import sys
import traceback


def silence_late_errors() -> None:
    """From now on drop the errors of arrays that end after the save or restore they belong to; all else is reported as before."""
    logging.getLogger("asyncio").addFilter(_is_of_interest)  # adding it again changes nothing
    before = sys.unraisablehook
    if getattr(before, "drops_late_errors", False):
        return

    def report(unraisable) -> None:
        if not _found_its_loop_closed(unraisable):
            before(unraisable)

    report.drops_late_errors = True
    sys.unraisablehook = report


def _found_its_loop_closed(unraisable) -> bool:
    """Whether it was raised by a closed event loop that was called from outside of Python, as only TensorStore does."""
    error = unraisable.exc_value
    if not isinstance(error, RuntimeError) or str(error) != "Event loop is closed":
        return False
    names = {frame.name.rpartition(".")[2] for frame in traceback.extract_tb(unraisable.exc_traceback)}
    return names <= {"call_soon_threadsafe", "_check_closed"}


def _is_of_interest(record: logging.LogRecord) -> bool:
    """Whether a record of asyncio is about anything but an array whose error nobody asks for."""
    error = record.exc_info[1] if record.exc_info else None
    is_forgotten = record.getMessage().startswith(
        ("Task exception was never retrieved", "Future exception was never retrieved")
    )
    return not (is_forgotten and any(word in str(error) for word in ("OCDBT", "tensorstore")))
