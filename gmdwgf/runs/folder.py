"""The folder of one run: its files, its lock and its state."""

import contextlib
import errno
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
from gmdwgf.runs import locks, typed_files
from gmdwgf.runs.leftovers import sweep_up
from gmdwgf.runs.marks import marks

ENDINGS = {"done": "DONE.json", "diverged": "DIVERGED.json", "failed": "FAILED.json"}

FINISHED = ("done", "diverged")
"""States of runs that are not executed again."""


class RunIsLive(Exception):
    """Raised if another process is executing this run."""


class RunVanished(Exception):
    """Raised if the folder of a run is deleted or moved during the run."""

    def __init__(self, path: Path):
        super().__init__(f"{path} was deleted or moved during the run; the same command starts it again")


class RunDir:
    """Folder of a run: `config.yaml manifest.json metrics.jsonl checkpoints/ samples.npz figures/ train.log` and its ending.

    All files except logs are written under a temporary name and moved into place. `hide` removes values of environment variables
    from the log and from records of failures.
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
        """The resolved config of the run. Raises DamagedFile if it cannot be read."""
        values, troubles = typed_files.read_config(self.path)
        if not values:
            raise troubles[0]
        return values

    def manifest(self) -> Facts:
        """The manifest, written when the run began; empty if it is missing or cannot be read."""
        return typed_files.read_manifest(self.path).values

    def ending(self) -> Facts:
        """The ending, written when the run ended; empty if it is missing or cannot be read."""
        state = self.status()
        return typed_files.read_ending(self.path, ENDINGS[state]).values if state in ENDINGS else {}

    def troubles(self) -> list[DamagedFile]:
        """Problems with the config, the manifest and the ending."""
        found = [*typed_files.read_config(self.path).troubles, *typed_files.read_manifest(self.path).troubles]
        state = self.status()
        return found + (typed_files.read_ending(self.path, ENDINGS[state]).troubles if state in ENDINGS else [])

    def set_aside(self, name: str) -> Path | None:
        """Move an unusable file to `damaged/` and return its new path; None if there is no such file."""
        path, place = self.path / name, self.path / "damaged"
        if not path.is_file():
            return None
        place.mkdir(exist_ok=True)
        kept = place / f"{name}-{len(list(place.iterdir()))}"
        return path.rename(kept)

    def lose(self, lines: list[str]) -> None:
        """Record losses of the run in the manifest."""
        self._keep("lost", lines)

    def warn(self, lines: list[str]) -> None:
        """Record warnings about the run in the manifest."""
        self._keep("warnings", lines)

    def warnings(self) -> list[str]:
        """Warnings about the run, in the order in which they were given."""
        return self.manifest().get("warnings", [])

    def _keep(self, name: str, lines: list[str]) -> None:
        manifest = self.manifest()
        if manifest and lines:
            manifest[name] = list(dict.fromkeys([*manifest.get(name, []), *lines]))
            write_atomically(self.path / "manifest.json", json.dumps(manifest, indent=2))

    @contextlib.contextmanager
    def lock(self) -> Iterator[str | None]:
        """Lock the run; the operating system releases the lock when the process ends.

        While locked, `run.lock` names the process. If it names a process of another host, that process was killed, or the file
        system does not share locks between hosts; a warning for the user is then yielded, otherwise None.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "run.lock").open("a+") as file:
            try:
                locks.lock(file.fileno())
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
                with contextlib.suppress(OSError):
                    locks.unlock(file.fileno())

    def is_there(self) -> bool:
        """Whether the folder of a started run still exists."""
        return not self._begun or (self.path / "manifest.json").exists()

    def check_there(self) -> None:
        """Raise RunVanished if the folder of a started run no longer exists."""
        if not self.is_there():
            raise RunVanished(self.path)

    def begin(self, config_yaml: str, manifest: Facts) -> None:
        """Write config and manifest, keeping recorded losses and warnings; delete a failure record and temporary files."""
        sweep_up(self.path)
        self.figures.mkdir(exist_ok=True)
        manifest = manifest | {name: kept for name, kept in self.manifest().items() if name in ("lost", "warnings")}
        write_atomically(self.path / "config.yaml", config_yaml)
        write_atomically(self.path / "manifest.json", json.dumps(manifest, indent=2))
        (self.path / ENDINGS["failed"]).unlink(missing_ok=True)
        self._begun = True

    def end(self, state: str, facts: Facts) -> None:
        """Record the final state of the run: `done`, `diverged` or `failed`."""
        write_atomically(self.path / ENDINGS[state], json.dumps(facts, indent=2))

    def fail(self, error: BaseException) -> None:
        """Record a failure, if the disk is not full; otherwise the run counts as unfinished."""
        with contextlib.suppress(OSError):
            self.end("failed", {name: self.hide(text) for name, text in failure(error).items()})

    def refuse(self, run: str, config_yaml: str, error: Exception) -> None:
        """Record an invalid run of a sweep in its folder, with its config and the error."""
        with contextlib.suppress(OSError, ConfigError), self.lock():
            write_atomically(self.path / "config.yaml", config_yaml)
            if not (self.path / "manifest.json").is_file():
                write_atomically(self.path / "manifest.json", json.dumps(marks(run), indent=2))
            self.fail(error)

    def note(self, line: str) -> None:
        """Append a line to the run's log."""
        with (self.path / "train.log").open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{time.strftime(_TIME)} {self.hide(line)}\n")


_TIME = "%Y-%m-%d %H:%M:%S"


def _holder(file: IO[str]) -> Facts:
    """Process named in the lock file: `host`, `pid` and `since`; empty if there is none or it cannot be read."""
    try:
        file.seek(0)
        holder = json.loads(file.read(1000) or "{}")
    except (OSError, ValueError, RecursionError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _write_holder(file: IO[str], holder: Facts) -> None:
    with contextlib.suppress(OSError):  # a full disk is reported elsewhere
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
    return f"the previous process of this run did not exit regularly{_shown(holder)}; make sure that it is not still running"


def failure(error: BaseException) -> Facts:
    """Record of an exception."""
    return {"error": reason(error), "traceback": "".join(traceback.format_exception(error))}


def reason(error: BaseException) -> str:
    """Describe an exception in one line; recognises a full disk and lack of memory, which libraries report in many ways."""
    text = " ".join(str(error).split())
    if isinstance(error, RunVanished):
        return text
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(words in text for words in _DISK_FULL):
        return "the disk is full; free some space, then the same command resumes the run"
    if "RESOURCE_EXHAUSTED" in text:
        return (
            f"out of memory; use a smaller training.batch_size, training.n_targets or metrics.n_samples ({text[:120]})"
        )
    return f"{type(error).__name__}: {text}"


_DISK_FULL = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))


def manifest(run: str, command: list[str]) -> Facts:
    """Manifest of a run: versions of code and packages, and the machine."""
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
    """Commit of the checkout that the package is imported from, and whether it has changes; empty for an installed wheel."""
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
