"""Check a run folder against a config: same config, same data, and all files of a finished run."""

from typing import NamedTuple

from gmdwgf.files import DamagedFile
from gmdwgf.mappings import Config
from gmdwgf.reading import one_line, parse_yaml, read_mapping
from gmdwgf.runs.folder import ENDINGS, FINISHED, RunDir
from gmdwgf.runs.identity import data_id, differences, run_id
from gmdwgf.tracking import jsonl


class Standing(NamedTuple):
    """State of a run folder as in `RunDir.status`, except that a finished run with missing files is `unfinished`."""

    state: str
    lines: tuple[str, ...] = ()
    """Problems of the folder and how they are handled."""


def standing(folder: RunDir, config: Config, text: str) -> Standing:
    """Determine the state of the run of `config`, whose config.yaml would be `text`, without modifying files.

    Raises DamagedFile if the folder contains a run of another config or with other data.
    """
    state = folder.status()
    if state == "new" or (
        state == "failed" and not (folder.path / "manifest.json").exists()
    ):  # refused: nothing was computed
        return Standing(state)
    _check_same(folder, config, text)
    lines = [_told(damage) for damage in folder.troubles()]
    lines += _gone(folder) if state in FINISHED else []
    if state in FINISHED and lines:
        return Standing("unfinished", (*lines, f"so the run is not {state}: it resumes from intact files"))
    return Standing(state, tuple(lines))


def reopen(folder: RunDir, found: Standing) -> None:
    """Move aside damaged files, and the ending of a run that is not finished; the lock must be held."""
    if found.lines:
        for damage in folder.troubles():
            folder.set_aside(damage.path.name)
    if found.state not in FINISHED:
        for state in FINISHED:
            folder.set_aside(ENDINGS[state])


def _told(damage: DamagedFile) -> str:
    there = damage.path.exists()
    return f"{damage.path.name} {damage.problem}; " + ("it is moved to damaged/" if there else "it is written again")


def _check_same(folder: RunDir, config: Config, text: str) -> None:
    manifest = folder.manifest()
    try:
        kept = read_mapping(folder.path / "config.yaml", parse_yaml, "")
    except (OSError, DamagedFile):
        kept = {}
    again = f"restore it, or remove the run (python -m gmdwgf.runs rm {folder.path.parent} {folder.path.name})"
    different = differences(kept, parse_yaml(text)) if kept else {}
    different = {
        key: pair for key, pair in different.items() if "${" not in str(pair)
    }  # of the environment: the id tells
    if different:
        key, (there, asked) = next(iter(different.items()))
        more = f", and {len(different) - 1} more keys differ" if len(different) > 1 else ""
        problem = f"has {key}={_shown(there)} where {_shown(asked)} is asked for{more}"
        raise DamagedFile(folder.path / "config.yaml", problem, f"it was edited or is that of another run; {again}")
    for key, asked, what in (("id", run_id(config), "another run"), ("data", data_id(config), "other data")):
        if manifest.get(key, asked) != asked:
            problem = f"is of {what} ({key} {one_line(manifest[key])[:20] or 'empty'}, asked for is {asked or 'empty'})"
            raise DamagedFile(folder.path / "manifest.json", problem, again)


def _shown(value: object) -> str:
    return "nothing" if value is None else one_line(str(value))[:60]


def _gone(folder: RunDir) -> list[str]:
    """Missing or damaged files of a finished run, one line each."""
    step, lines = folder.ending().get("step"), []
    if step is None:
        lines.append(f"{ENDINGS[folder.status()]} has no step")
    checks = {"metrics.jsonl": _last_record, "samples.npz": _last_sample}
    for name, last in checks.items():
        try:
            there = last(folder)
        except FileNotFoundError:
            lines.append(f"{name} is gone")
        except DamagedFile as damage:
            lines.append(f"{name} {damage.problem}" + (f" (line {damage.line})" if damage.line else ""))
        except OSError as error:
            lines.append(f"{name} cannot be read ({error.strerror or error})")
        else:
            if step is not None and there != step:
                lines.append(f"{name} ends at step {there}, the run at {step}")
    if not folder.checkpoints.is_dir() or not any(folder.checkpoints.iterdir()):
        lines.append("checkpoints are gone")
    elif step is not None and not (folder.checkpoints / str(step)).is_dir():
        lines.append(f"checkpoint {step} is gone")
    return lines


def _last_record(folder: RunDir) -> int | None:
    records = jsonl.read_records(folder.metrics)
    return records[-1]["step"] if records else None


def _last_sample(folder: RunDir) -> int:
    from gmdwgf.runs.snapshots import read

    return int(read(folder.samples)["steps"][-1])
