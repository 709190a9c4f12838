"""Run the linear algebra of LAPACK, which XLA calls on CPUs, in one thread.

XLA calls LAPACK from its own threads. With threads of OpenBLAS beside them, small factorisations wait for each other: a QR
decomposition of 784 x 64 numbers took 800 ms with two threads on two cores, and 1 ms with one (scripts/benchmarks/blas_threads.py).
"""

import contextlib
import os
from collections.abc import Iterator, MutableMapping

_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
"""Either sets the number of threads of OpenBLAS."""


def one_blas_thread(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let OpenBLAS use one thread in this process, before it is loaded, and in its children, unless the user chose a number."""
    if not any(name in environment for name in _VARIABLES):
        environment[_VARIABLES[0]] = "1"


@contextlib.contextmanager
def within_one_blas_thread() -> Iterator[None]:
    """Context in which a BLAS that is already loaded uses one thread, unless the user chose a number."""
    from threadpoolctl import threadpool_limits

    if any(name in os.environ for name in _VARIABLES):
        yield
        return
    with threadpool_limits(limits=1, user_api="blas"):
        yield
