"""Pause Python's search for cyclic garbage while a command starts.

Imports and the building of components make half a million objects that stay until the end. Python searches all of them again and
again, which takes a fifth of the start, and finds nothing.
"""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def paused_collections() -> Iterator[None]:
    """Context in which collections are off until `resume_collections`."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def resume_collections() -> None:
    """Switch collections on if they are paused, and exclude the objects that exist by now from them."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
