"""Delete run folders: only folders created by gmdwgf, completely or not at all, and never through links.

A folder is first renamed to a hidden name, `.removed-<pid>-<name>`, so that partially deleted runs are not read. Its manifest is
deleted last. The next deletion completes one that was killed.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from gmdwgf.config.build import ConfigError
from gmdwgf.files import is_alive
from gmdwgf.runs.folder import RunDir, RunIsLive
from gmdwgf.runs.leftovers import is_leftover
from gmdwgf.runs.marks import FILES, id_in_name, is_run, marked_id
from gmdwgf.runs.records import RunFiles

MADE = {*FILES, "config.yaml", "metrics.jsonl", "samples.npz", "train.log", "checkpoints", "damaged", "figures", "wandb"} | {
    "report.html", "collected.csv", "collected.parquet", "collected_seeds.csv", "collected_seeds.parquet"
}  # fmt: skip
"""Names that gmdwgf writes at the top of a run folder. Folders with other names are not deleted, since these are the user's."""

_FIGURES = (".png", ".pdf", ".svg")
_HIDDEN = re.compile(r"\.removed-(\d{1,10})-(.+-[0-9a-f]{8})")


def check_place(folder: Path) -> None:
    """Raise ConfigError for a folder that is reached through a link, since nothing is deleted through links."""
    if Path(os.path.abspath(folder)) != (real := folder.resolve()):
        raise ConfigError("DIR", folder, f"is reached through a link; give the folder itself: {real}")


def why_kept(folder: Path) -> str | None:
    """Reason why a folder is not deleted, as the end of a sentence; None for a run of gmdwgf without other files."""
    folder = Path(os.path.abspath(folder))
    if folder != folder.resolve():
        return "is a link, or is reached through one,"
    if any((folder / name).is_symlink() for name in ("manifest.json", "run.lock")):
        return "has a link in place of its manifest.json or its run.lock"
    run = marked_id(folder)
    if run is None:
        return "has no manifest.json that names an id and a version of gmdwgf"
    if id_in_name(folder.name) != run:
        return f"has a name that does not end in -{run}, the id in its manifest.json,"
    return _why_not_only_ours(folder)


def _why_not_only_ours(folder: Path) -> str | None:
    with contextlib.suppress(OSError):
        if Path.cwd().is_relative_to(folder):
            return "is where you are (leave it first: cd ..)"
    device = folder.lstat().st_dev
    for path, inner, files in os.walk(folder):
        place = Path(path)
        if place.lstat().st_dev != device or os.path.ismount(place):
            return f"holds another file system ({place.relative_to(folder)})"
        if place != folder and is_run(place, files):
            return f"holds another run ({place.relative_to(folder)})"
        for name in _not_ours(folder, place, inner, files):
            return f"holds {(place / name).relative_to(folder)}, which no run writes,"
    return None


def _not_ours(folder: Path, place: Path, inner: list[str], files: list[str]) -> Iterator[str]:
    """Names at the top of a run folder and among its figures that gmdwgf does not write."""
    if place == folder:
        yield from (name for name in [*inner, *files] if name not in MADE and not is_leftover(name))
    elif place == folder / "figures":
        yield from (name for name in files if not name.endswith(_FIGURES))
        yield from inner


def remove(runs: Sequence[RunFiles], say: Callable[[str], None]) -> int:
    """Delete run folders and return their number. Runs that are locked, changed or contain other files stay; `say` prints why."""
    removed = 0
    for run in runs:
        reason = why_kept(run.path) or _remove(run)
        if reason:
            say(f"{run.name} {reason} and stays")
        removed += reason is None
    return removed


def _remove(run: RunFiles) -> str | None:
    """Delete a run under its lock; returns the reason if it is not deleted."""
    folder = Path(os.path.abspath(run.path))
    hidden = folder.with_name(f".removed-{os.getpid()}-{folder.name}")
    try:
        with RunDir(folder).lock():
            state = RunDir(folder).status()
            if state != run.state:
                return f"is {state} by now"
            if reason := why_kept(folder):
                return reason
            folder.rename(hidden)
            _delete(hidden)
    except RunIsLive:
        return "is live"
    except OSError as error:
        begun = f" in part only; the rest is in {hidden.name}" if hidden.is_dir() else ""
        return f"cannot be deleted{begun} ({error.strerror or error})"
    return None


def _delete(hidden: Path) -> None:
    """Delete a folder, its manifest last; links in it are deleted, not followed."""
    for path in sorted(hidden.iterdir(), key=lambda path: path.name == "manifest.json"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    hidden.rmdir()


def finish_removals(root: Path, say: Callable[[str], None]) -> None:
    """Complete killed deletions below a folder."""
    for hidden in list(_unfinished(root)):
        reason = _why_not_only_ours(hidden)
        if reason is None:
            try:
                _delete(hidden)
            except OSError as error:
                reason = f"cannot be deleted ({error.strerror or error})"
        say(f"{hidden} {reason} and stays" if reason else f"{hidden.name}: left by an earlier rm, deleted")


def _unfinished(root: Path) -> Iterator[Path]:
    for place, inner, files in os.walk(os.path.abspath(root)):
        folder = Path(place)
        for name in inner:
            found = _HIDDEN.fullmatch(name)
            if not found or (folder / name).is_symlink() or marked_id(folder / name) not in (None, found[2][-8:]):
                continue
            if int(found[1]) == os.getpid() or not is_alive(int(found[1])):
                yield folder / name
        inner[:] = [] if is_run(folder, files) else [name for name in inner if not name.startswith(".")]
