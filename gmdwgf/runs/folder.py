"""The folder of one run: its files, its lock and its state."""

import contextlib
import errno
import fcntl
import json
import os
import platform
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import IO

from gmdwgf.config.build import ConfigError
from gmdwgf.files import DamagedFile, write_atomically
from gmdwgf.mappings import Config, Facts
from gmdwgf.runs import typed_files
from gmdwgf.runs.leftovers import sweep_up
from gmdwgf.runs.marks import marks

ENDINGS = {"done": "DONE.json", "diverged": "DIVERGED.json", "failed": "FAILED.json"}


class RunIsLive(Exception):
    """Another process is working on this run right now."""


class RunVanished(Exception):
    """The folder of a run was taken away while the run was being written."""

    def __init__(self, path: Path):
        super().__init__(f"{path} was removed or moved away during the run; the same command begins it anew")


class RunDir:
    """`config.yaml manifest.json metrics.jsonl checkpoints/ samples.npz figures/ train.log` and how the run ended.

    Everything but the growing logs is written to a temporary name and moved into place.
    `hide` takes out of its log and of the record of a failure what may not be kept.
    """

    def __init__(self, path: Path, hide: Callable[[str], str] = str):
        self.path, self.hide = Path(path), hide
        self.checkpoints = self.path / "checkpoints"
        self.figures = self.path / "figures"
        self.metrics = self.path / "metrics.jsonl"
        self.samples = self.path / "samples.npz"
        self._begun = False

    def status(self) -> str:
        """`new`, `unfinished`, `failed`, `diverged` or `done`."""
        for state, name in ENDINGS.items():
            if (self.path / name).is_file():
                return state
        return "unfinished" if (self.path / "manifest.json").is_file() else "new"

    def config(self) -> Config:
        """The resolved config of the run; DamagedFile where it cannot be read."""
        values, troubles = typed_files.read_config(self.path)
        if not values:
            raise troubles[0]
        return values

    def manifest(self) -> Facts:
        """What was written when the run was begun; empty where it was not, or cannot be read."""
        return typed_files.read_manifest(self.path).values

    def ending(self) -> Facts:
        """What was written when the run ended; empty while it has not, or where it cannot be read."""
        state = self.status()
        return typed_files.read_ending(self.path, ENDINGS[state]).values if state in ENDINGS else {}

    def troubles(self) -> list[DamagedFile]:
        """What is wrong with the config, the manifest and the ending."""
        found = [*typed_files.read_config(self.path).troubles, *typed_files.read_manifest(self.path).troubles]
        state = self.status()
        return found + (typed_files.read_ending(self.path, ENDINGS[state]).troubles if state in ENDINGS else [])

    def set_aside(self, name: str) -> Path | None:
        """Move a file that cannot be used into `damaged/`; nothing is deleted. None where there is no such file."""
        path, place = self.path / name, self.path / "damaged"
        if not path.is_file():
            return None
        place.mkdir(exist_ok=True)
        kept = place / f"{name}-{len(list(place.iterdir()))}"
        return path.rename(kept)

    def lose(self, lines: list[str]) -> None:
        """Keep in the manifest what was lost of the run."""
        manifest = self.manifest()
        if manifest and lines:
            manifest["lost"] = list(dict.fromkeys([*manifest.get("lost", []), *lines]))
            write_atomically(self.path / "manifest.json", json.dumps(manifest, indent=2))

    @contextlib.contextmanager
    def lock(self) -> Iterator[str | None]:
        """Hold the run; the operating system lets go when the process ends, however it ends.

        While it is held, `run.lock` says by whom. Where a process of another host has left its name there, it was killed, or
        the lock of this file system does not reach from host to host: what is then to be told to the user is returned.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "run.lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                who = f"by another process{_shown(_holder(file))}"
                raise RunIsLive(f"{self.path} is being written {who}; wait for it or stop it") from error
            except OSError as error:
                fix = f"its file system has no locks ({error.strerror or error}); choose another folder, e.g. on a local disk"
                raise ConfigError("paths.root", str(self.path.parent), fix) from error
            before = _holder(file)
            _write_holder(file, {"host": platform.node(), "pid": os.getpid(), "since": time.strftime(_TIME)})
            try:
                yield _left_elsewhere(before)
            finally:
                with contextlib.suppress(OSError):
                    file.truncate(0)

    def is_there(self) -> bool:
        """Whether the folder of a run that was begun is still in its place."""
        return not self._begun or (self.path / "manifest.json").exists()

    def check_there(self) -> None:
        """Raise RunVanished where the folder of a run that was begun is gone."""
        if not self.is_there():
            raise RunVanished(self.path)

    def begin(self, config_yaml: str, manifest: Facts) -> None:
        """Write the config and the manifest, in which what was lost before stays; forget an earlier failure and torn files."""
        sweep_up(self.path)
        self.figures.mkdir(exist_ok=True)
        if lost := self.manifest().get("lost"):
            manifest = manifest | {"lost": lost}
        write_atomically(self.path / "config.yaml", config_yaml)
        write_atomically(self.path / "manifest.json", json.dumps(manifest, indent=2))
        (self.path / ENDINGS["failed"]).unlink(missing_ok=True)
        self._begun = True

    def end(self, state: str, facts: Facts) -> None:
        """Record how the run ended: `done`, `diverged` or `failed`."""
        write_atomically(self.path / ENDINGS[state], json.dumps(facts, indent=2))

    def fail(self, error: BaseException) -> None:
        """Record a failure, unless the disk has no room even for that: the run then counts as unfinished."""
        with contextlib.suppress(OSError):
            self.end("failed", {name: self.hide(text) for name, text in failure(error).items()})

    def refuse(self, run: str, config_yaml: str, error: Exception) -> None:
        """Leave a run of a sweep that cannot be run where its results would be, with its config and the reason."""
        with contextlib.suppress(OSError, ConfigError), self.lock():
            write_atomically(self.path / "config.yaml", config_yaml)
            if not (self.path / "manifest.json").is_file():
                write_atomically(self.path / "manifest.json", json.dumps(marks(run), indent=2))
            self.fail(error)

    def note(self, line: str) -> None:
        """Add a line to the run's log."""
        with (self.path / "train.log").open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{time.strftime(_TIME)} {self.hide(line)}\n")


_TIME = "%Y-%m-%d %H:%M:%S"


def _holder(file: IO[str]) -> Facts:
    """Who wrote itself into the lock: `host`, `pid` and `since`; empty where nobody did, or it cannot be read."""
    try:
        file.seek(0)
        holder = json.loads(file.read(1000) or "{}")
    except (OSError, ValueError, RecursionError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _write_holder(file: IO[str], holder: Facts) -> None:
    with contextlib.suppress(OSError):  # of a full disk something else will speak
        file.truncate(0)
        file.write(json.dumps(holder))
        file.flush()


def _shown(holder: Facts) -> str:
    if not holder:
        return ""
    pid, host, since = (" ".join(str(holder.get(name, "?")).split())[:100] for name in ("pid", "host", "since"))
    return f" (process {pid} on {host}, since {since})"


def _left_elsewhere(holder: Facts) -> str | None:
    if not holder or holder.get("host") == platform.node():
        return None
    return f"the process that had this run before did not end by itself{_shown(holder)}; make sure that it is not running still"


def failure(error: BaseException) -> Facts:
    """What to keep of an exception."""
    return {"error": reason(error), "traceback": "".join(traceback.format_exception(error))}


def reason(error: BaseException) -> str:
    """An exception in a line; a full disk, which libraries report in many ways, as what it is."""
    text = " ".join(str(error).split())
    if isinstance(error, RunVanished):
        return text
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(words in text for words in _DISK_FULL):
        return "the disk is full; make room, then the same command goes on"
    if "RESOURCE_EXHAUSTED" in text:
        return (
            f"out of memory; take a smaller training.batch_size, training.n_targets or metrics.n_samples ({text[:120]})"
        )
    return f"{type(error).__name__}: {text}"


_DISK_FULL = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))


def manifest(run: str, command: list[str]) -> Facts:
    """Which code, packages and machine made the numbers of a run."""
    packages = (
        "jax",
        "jaxlib",
        "flax",
        "optax",
        "ott-jax",
        "equinox",
        "orbax-checkpoint",
        "numpy",
        "hydra-core",
        "wandb",
    )
    return marks(run) | {
        "command": command,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "code": _code_version(),
        "packages": {name: metadata.version(name) for name in packages},
        "python": platform.python_version(),
        "machine": {"system": platform.platform(), "cpus": os.cpu_count()},
    }


def _code_version() -> Facts:
    """Commit of the checkout the package is imported from, and whether it was changed; empty for an installed wheel."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return {}

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return {
            "commit": git("rev-parse", "HEAD"),
            "changed": bool(git("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.CalledProcessError):
        return {}
