"""Suppress redundant tracebacks of Orbax after a failed save or restore.

Orbax reads and writes the arrays of a checkpoint concurrently. When one array fails (a full disk, a damaged file), Orbax raises its
error, which is reported, and closes the event loop that the others use. Their later errors are never retrieved, and Python prints a
traceback for each, e.g. 33 of them for one full disk.
"""

import logging
import sys
import traceback


def silence_late_errors() -> None:
    """Suppress errors of arrays that are raised after their save or restore has failed; all other errors are still reported."""
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
    """Whether the error comes from a closed event loop that was called from outside of Python, which only TensorStore does."""
    error = unraisable.exc_value
    if not isinstance(error, RuntimeError) or str(error) != "Event loop is closed":
        return False
    names = {frame.name.rpartition(".")[2] for frame in traceback.extract_tb(unraisable.exc_traceback)}
    return names <= {"call_soon_threadsafe", "_check_closed"}


def _is_of_interest(record: logging.LogRecord) -> bool:
    """Whether a log record of asyncio is about anything other than an unretrieved error of an array."""
    error = record.exc_info[1] if record.exc_info else None
    is_forgotten = record.getMessage().startswith(
        ("Task exception was never retrieved", "Future exception was never retrieved")
    )
    return not (is_forgotten and any(word in str(error) for word in ("OCDBT", "tensorstore")))
