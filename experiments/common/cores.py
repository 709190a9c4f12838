"""Compute the cells of an experiment in as many processes as there are cores."""

import concurrent.futures
import multiprocessing
import os
from collections.abc import Callable, Iterable
from typing import Any


def on_all_cores(work: Callable[..., None], cells: Iterable[dict[str, Any]]) -> None:
    """Call `work(**cell)` for all cells, in their order, in processes of one thread: the programs are too small to use several."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(n_cores, mp_context=spawn) as pool:
        for job in concurrent.futures.as_completed([pool.submit(work, **cell) for cell in cells]):
            job.result()
