"""Several processes as one run: they start together, compute the same program, and only process 0 writes.

What must be the same everywhere (where to resume, whether to stop) is decided by process 0 and told to the others.
"""

import atexit
import contextlib
import dataclasses
import os
import signal
from typing import Any

import jax
import numpy as np

from gmdwgf.config.fields import LARGEST_COUNT, FieldError
from gmdwgf.engine.signals import ALWAYS, OFFERED


@dataclasses.dataclass(frozen=True)
class DevicesConfig:
    """What of the machine a run uses; no number of the run depends on it but for rounding.

    `n` devices (null: all). `distributed`: null joins the processes of a Slurm step of several tasks, true joins the processes
    that JAX finds or that `coordinator` (host:port), `n_processes` and `process` (0, 1, ...) describe, false joins none.
    `timeout` (s): how long a silent process counts as alive. `save_signals`: what asks a run to save and end, beside SIGTERM,
    Ctrl-C and SIGHUP.
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
            raise FieldError("timeout", self.timeout, "must be a whole number of seconds of at least 1")
        _check_count("timeout", self.timeout, at_least=1)
        if self.distributed is not None and not isinstance(self.distributed, bool):
            raise FieldError("distributed", self.distributed, "must be null, true or false")
        if self.coordinator is not None and not _is_address(self.coordinator):
            raise FieldError("coordinator", self.coordinator, "must be null or host:port, e.g. node0:1234")
        given = [getattr(self, name) is not None for name in ("coordinator", "n_processes", "process")]
        if any(given) and not all(given):
            raise FieldError(
                "coordinator", self.coordinator, "needs n_processes and process beside it, or none of the three"
            )
        if self.process is not None and self.n_processes is not None and self.process >= self.n_processes:
            raise FieldError("process", self.process, f"must be less than n_processes={self.n_processes}")

    def join(self) -> bool:
        """Join the processes of this run, once; whether there are several."""
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
    """Leave a watcher that speaks if this process ends without having come to its exit.

    When another process is lost, JAX aborts this one from a thread of its own: no handler and no `finally` runs. The watcher is
    a fork that waits for the end of a pipe.
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


LOST = (
    "gmdwgf: this process, or another one of the run, was lost; the same command goes on from the last checkpoint, with as many "
    "processes as there are then\n"
)


def _check_count(name: str, value: Any, at_least: int) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < at_least):
        raise FieldError(name, value, f"must be null or a whole number of at least {at_least}")
    if value is not None and value > LARGEST_COUNT:
        raise FieldError(name, value, f"must be at most {LARGEST_COUNT}")


def _is_address(value: Any) -> bool:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65536


def _check_signals(name: str, value: Any) -> None:
    if not isinstance(value, list | tuple) or not all(signal in OFFERED for signal in value):
        raise FieldError(name, value, f"must be a list of some of {', '.join(OFFERED)}")


def is_multiprocess() -> bool:
    """Whether the run has more than one process."""
    return jax.process_count() > 1


def abort(line: str) -> None:
    """End this process with a line on standard error, without the farewell of JAX, which would wait for the others."""
    _write_error(f"{line}\n{LOST}")
    os._exit(1)


def _write_error(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        os.write(2, text.encode())


def is_main_process() -> bool:
    """Whether this process is the one that writes files and speaks."""
    return jax.process_index() == 0


def broadcast_from_main(tree: Any) -> Any:
    """Process 0's numbers, in every process: a pytree of numbers and arrays of one shape everywhere."""
    if not is_multiprocess():
        return tree
    from jax.experimental import multihost_utils

    return jax.tree.map(np.asarray, multihost_utils.broadcast_one_to_all(tree))


def largest(*numbers: float) -> list[float]:
    """The largest of each number over all processes, the same everywhere: what one process asks for, all do."""
    if not is_multiprocess():
        return list(numbers)
    from jax.experimental import multihost_utils

    return np.max(multihost_utils.process_allgather(np.asarray(numbers, np.float32)), axis=0).tolist()
