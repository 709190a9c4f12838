"""Multi-process runs: all processes execute the same program, and only process 0 writes files.

Decisions that must agree in all processes (where to resume, whether to stop) are made by process 0 and broadcast.
"""

import atexit
import contextlib
import dataclasses
import os
import signal

import jax
import numpy as np

from gmdwgf.config.fields import LARGEST_COUNT, FieldError
from gmdwgf.engine.signals import ALWAYS, OFFERED
from gmdwgf.typing import PyTree


@dataclasses.dataclass(frozen=True)
class DevicesConfig:
    """Devices and processes of a run; results depend on them only by rounding.

    `n`: number of devices (null: all). `distributed`: null joins the processes of a Slurm step with several tasks, true joins the
    processes that JAX detects or that `coordinator` (host:port), `n_processes` and `process` (0, 1, ...) specify, false joins none.
    `timeout` (s): time without a heartbeat after which a process counts as lost. `save_signals`: signals that save and stop a run,
    in addition to SIGTERM, Ctrl-C and SIGHUP.
    """

    n: int | None = None
    distributed: bool | None = None
    coordinator: str | None = None
    n_processes: int | None = None
    process: int | None = None
    timeout: int = 60

    save_signals: tuple[str, ...] | list[str] = ("SIGUSR1", "SIGUSR2")

    def __post_init__(self) -> None:
        _check_signals("save_signals", self.save_signals)
        for name in ("n", "n_processes"):
            _check_count(name, getattr(self, name), at_least=1)
        _check_count("process", self.process, at_least=0)
        if self.timeout is None:
            raise FieldError("timeout", self.timeout, "must be an integer number of seconds, at least 1")
        _check_count("timeout", self.timeout, at_least=1)
        if self.distributed is not None and not isinstance(self.distributed, bool):
            raise FieldError("distributed", self.distributed, "must be null, true or false")
        if self.coordinator is not None and not _is_address(self.coordinator):
            raise FieldError("coordinator", self.coordinator, "must be null or host:port, e.g. node0:1234")
        given = [getattr(self, name) is not None for name in ("coordinator", "n_processes", "process")]
        if any(given) and not all(given):
            raise FieldError("coordinator", self.coordinator, "must be set together with n_processes and process")
        if self.process is not None and self.n_processes is not None and self.process >= self.n_processes:
            raise FieldError("process", self.process, f"must be less than n_processes={self.n_processes}")

    def join(self) -> bool:
        """Join the other processes of this run, once; returns whether there are several."""
        wanted = self.distributed
        if wanted is None:
            wanted = self.coordinator is not None or int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1
        if wanted and not jax.distributed.is_initialized():
            _explain_a_sudden_end()
            jax.distributed.initialize(
                self.coordinator, self.n_processes, self.process, heartbeat_timeout_seconds=self.timeout
            )
        return is_multiprocess()


def _explain_a_sudden_end() -> None:
    """Start a watcher that prints a message if this process ends without a regular exit.

    When another process is lost, JAX aborts this one from a separate thread, without running handlers or `finally` blocks. The
    watcher is a forked process that waits for the end of a pipe.
    """
    ours, theirs = os.pipe()
    if os.fork():
        os.close(ours)
        atexit.register(os.write, theirs, b"end")
        return
    os.close(theirs)
    for name in (*ALWAYS, *OFFERED):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    if not os.read(ours, 3):
        _write_error(LOST)
    os._exit(0)


LOST = "gmdwgf: a process of this run was lost; the same command resumes from the last checkpoint, with any number of processes\n"


def _check_count(name: str, value: object, at_least: int) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < at_least):
        raise FieldError(name, value, f"must be null or an integer of at least {at_least}")
    if value is not None and value > LARGEST_COUNT:
        raise FieldError(name, value, f"must be at most {LARGEST_COUNT}")


def _is_address(value: object) -> bool:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65536


def _check_signals(name: str, value: object) -> None:
    if not isinstance(value, list | tuple) or not all(signal in OFFERED for signal in value):
        raise FieldError(name, value, f"must be a list of signals among {', '.join(OFFERED)}")


def is_multiprocess() -> bool:
    """Whether the run has more than one process."""
    return jax.process_count() > 1


def abort(line: str) -> None:
    """Exit this process at once with a line on standard error, skipping the shutdown of JAX, which waits for the others."""
    _write_error(f"{line}\n{LOST}")
    os._exit(1)


def _write_error(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        os.write(2, text.encode())


def is_main_process() -> bool:
    """Whether this is process 0, which writes files and prints messages."""
    return jax.process_index() == 0


def broadcast_from_main(tree: PyTree) -> PyTree:
    """Broadcast a pytree from process 0; its structure and shapes must be the same in all processes."""
    if not is_multiprocess():
        return tree
    from jax.experimental import multihost_utils

    return jax.tree.map(np.asarray, multihost_utils.broadcast_one_to_all(tree))


def largest(*numbers: float) -> list[float]:
    """Maximum of each number over all processes, which is the same in all of them."""
    if not is_multiprocess():
        return list(numbers)
    from jax.experimental import multihost_utils

    return np.max(multihost_utils.process_allgather(np.asarray(numbers, np.float32)), axis=0).tolist()
