"""Divide cores and GPUs among the workers of joblib, before JAX is initialised in them.

By default each worker process would start as many threads as there are cores and reserve most of the memory of every GPU. Here each
worker takes the first free slot of `n_jobs`, with a share of the cores (which limits the threads of XLA and BLAS) and one GPU or a
share of its memory.
"""

import contextlib
import inspect
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

from gmdwgf.config.build import ConfigError
from gmdwgf.runs import locks


def take_share(launcher: Any) -> None:
    """Take a slot if this process is a worker of joblib, before JAX is imported and until the process ends; not on Windows."""
    if "joblib" not in str(launcher.get("_target_")) or "jax" in sys.modules or not hasattr(os, "getuid"):
        return
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    n_workers = launcher.n_jobs if launcher.n_jobs > 0 else max(1, len(cores) + 1 + launcher.n_jobs)
    folder = Path(tempfile.gettempdir()) / f"gmdwgf-workers-{os.getuid()}-{os.getppid()}"
    try:
        place = free_place(folder, n_workers)
    except OSError as error:
        raise no_temporary_folder(error) from error
    mine, environment = share(place, n_workers, cores, gpus())
    os.environ.update(environment)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, mine)


def share(place: int, n_workers: int, cores: list[int], devices: list[str]) -> tuple[list[int], dict[str, str]]:
    """Cores and environment variables of the worker in slot `place`."""
    each = max(1, len(cores) // n_workers)
    mine = [cores[(place * each + i) % len(cores)] for i in range(each)]
    environment = {name: str(each) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    if devices:
        n_beside = -(-n_workers // len(devices))
        environment["CUDA_VISIBLE_DEVICES"] = devices[place % len(devices)]
        environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{0.9 / n_beside:.3f}"
    return mine, environment


def no_temporary_folder(error: OSError) -> ConfigError:
    """Error for a folder of temporary files that is full or not writable."""
    value = os.environ.get("TMPDIR", inspect.Parameter.empty)
    return ConfigError(
        "TMPDIR",
        value,
        f"cannot be written ({error.strerror or error}); set TMPDIR to a folder with free space",
    )


def free_place(folder: Path, n_workers: int) -> int:
    """The first slot not held by a live process, or 0 if all are; this process holds it until it ends.

    Raises ConfigError for a link or a folder that others can write to, since any user can create one in the temporary folder.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        fix = f"{folder} must be a folder that only you can write to; remove it, or set TMPDIR to another folder"
        raise ConfigError("TMPDIR", folder.parent, fix)
    for place in range(n_workers):
        file = os.open(folder / str(place), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            locks.lock(file)
            return place  # the file stays open, and locked
        except OSError:
            os.close(file)
    return 0


def gpus() -> list[str]:
    """Identifiers of the GPUs that this process may use, without initialising a driver."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return [name for name in told.split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number in range(len(list(Path("/proc/driver/nvidia/gpus").glob("*"))))]
