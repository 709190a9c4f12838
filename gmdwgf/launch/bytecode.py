"""Prevent Hydra and Python from writing files (multirun.yaml, logs, bytecode) during a dry run."""

import atexit
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig, open_dict, read_write

from gmdwgf.mappings import Config

_IN_THIS_PROCESS = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def write_nothing(config: DictConfig) -> None:
    """Redirect Hydra's output to a temporary folder, and process the jobs of a sweep in this process.

    Other launchers would write files or submit to a cluster, and a search would store results of jobs that did not run.
    """
    elsewhere = tempfile.mkdtemp(prefix="gmdwgf-dry-")
    atexit.register(shutil.rmtree, elsewhere, ignore_errors=True)
    _set(config, {"run.dir": elsewhere, "sweep.dir": elsewhere, "sweep.subdir": ".", "output_subdir": None})
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.launcher = {"_target_": _IN_THIS_PROCESS}
        if "storage" in config.hydra.sweeper:
            config.hydra.sweeper.storage = None


def expand_home(config: DictConfig) -> None:
    """Expand `~` in the folder of a sweep, for which Hydra would otherwise create a folder named `~`."""
    folder = str(config.hydra.sweep.dir)
    if folder.startswith("~"):
        _set(config, {"sweep.dir": str(Path(folder).expanduser())})


def _set(config: DictConfig, values: Config) -> None:
    """Set keys of Hydra's own config, here and in the configs of the jobs, which Hydra composes separately."""
    with read_write(config.hydra), open_dict(config.hydra):
        for key, value in values.items():
            node, _, name = key.rpartition(".")
            (config.hydra[node] if node else config.hydra)[name] = value
            typed = "null" if value is None else "'" + value.replace("'", "\\'") + "'"
            config.hydra.overrides.hydra.append(f"hydra.{key}={typed}")


@contextlib.contextmanager
def without_bytecode() -> Iterator[None]:
    """Context in which imports write no bytecode files."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
