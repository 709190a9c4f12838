"""Compare the memory that a config needs, in single precision, with the memory of the machine."""

import os

BYTES = 4
"""Size of a float32 in bytes."""


def machine_bytes() -> int:
    """Memory of this machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def too_many(n_numbers: int, what: str) -> str | None:
    """Error message if `n_numbers` floats, described by `what`, exceed the memory of this machine; otherwise None."""
    n_bytes, there = BYTES * n_numbers, machine_bytes()
    if n_bytes <= there:
        return None
    return f"would need {short(n_bytes)} bytes for {what}, and this machine has {short(there)}; take a smaller one"


def short(n_bytes: int) -> str:
    """A number of bytes with two digits."""
    # A Python float ends at 1e308, a count does not.
    return f"{n_bytes:.2g}" if n_bytes < 10**300 else f"1e{len(str(n_bytes)) - 1}"
