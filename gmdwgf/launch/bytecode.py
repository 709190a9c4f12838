"""What Hydra would write of itself (multirun.yaml, logs, its own folder), kept out of the way of a dry run, which leaves nothing."""

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
    """Let what Hydra writes go to a folder that is thrown away, and the jobs of a sweep be looked at in this process.

    A launcher would write files of its own, and ask a cluster; a search would remember what no job has come to.
    """
    elsewhere = tempfile.mkdtemp(prefix="gmdwgf-dry-")
    atexit.register(shutil.rmtree, elsewhere, ignore_errors=True)
    _set(config, {"run.dir": elsewhere, "sweep.dir": elsewhere, "sweep.subdir": ".", "output_subdir": None})
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.launcher = {"_target_": _IN_THIS_PROCESS}
        if "storage" in config.hydra.sweeper:
            config.hydra.sweeper.storage = None


def expand_home(config: DictConfig) -> None:
    """Let `~` in the folder of a sweep be the user's home for Hydra too, which would make a folder of that name."""
    folder = str(config.hydra.sweep.dir)
    if folder.startswith("~"):
        _set(config, {"sweep.dir": str(Path(folder).expanduser())})


def _set(config: DictConfig, values: Config) -> None:
    """Set keys of Hydra's own config, here and in those of the jobs, which it composes anew."""
    with read_write(config.hydra), open_dict(config.hydra):
        for key, value in values.items():
            node, _, name = key.rpartition(".")
            (config.hydra[node] if node else config.hydra)[name] = value
            typed = "null" if value is None else "'" + value.replace("'", "\\'") + "'"
            config.hydra.overrides.hydra.append(f"hydra.{key}={typed}")


@contextlib.contextmanager
def without_bytecode() -> Iterator[None]:
    """Import modules of the user's without leaving compiled ones beside them."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
