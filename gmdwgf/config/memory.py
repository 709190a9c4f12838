"""Whether what a config asks for can be kept at all: numbers of single precision against the memory of this machine."""

import os

BYTES = 4
"""Of a number of single precision."""


def machine_bytes() -> int:
    """The memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def too_many(n_numbers: int, what: str) -> str | None:
    """What to say of so many numbers, which are `what`, where this machine cannot keep them; None where it can."""
    n_bytes, there = BYTES * n_numbers, machine_bytes()
    if n_bytes <= there:
        return None
    return f"would need {_short(n_bytes)} bytes for {what}, and this machine has {_short(there)}; take a smaller one"


def _short(n_bytes: int) -> str:
    # A Python float ends at 1e308, a count does not.
    return f"{n_bytes:.2g}" if n_bytes < 10**300 else f"1e{len(str(n_bytes)) - 1}"
