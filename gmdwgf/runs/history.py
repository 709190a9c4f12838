"""Restore records and samples of a resumed run: move damaged files aside, and report what is lost."""

import contextlib
from collections.abc import Callable, Iterable

import numpy as np

from gmdwgf.files import DamagedFile
from gmdwgf.mappings import Record
from gmdwgf.runs.folder import RunDir
from gmdwgf.runs.snapshots import Snapshots, read
from gmdwgf.tracking import jsonl


def recover(
    folder: RunDir, snapshots: Snapshots, evaluated: Iterable[int], record: Record, step: int, say: Callable
) -> None:
    """Restore `metrics.jsonl` and `snapshots` as of `step`, the step of a checkpoint.

    `evaluated` are the steps of evaluations up to `step`, and `record` is the last record, which the checkpoint also stores.
    Missing evaluations are reported, and recorded in the manifest as lost.
    """
    evaluated = list(evaluated)
    records = _records(folder, step, say)
    if record and record["step"] in set(evaluated) - {kept["step"] for kept in records}:
        records = sorted([*records, record], key=lambda kept: kept["step"])
    jsonl.rewrite(folder.metrics, records)
    try:
        snapshots.load(up_to=step)
    except DamagedFile as damage:
        say(_kept(folder, damage, "samples.npz"))
    lost = [_lost("metrics.jsonl", "records", evaluated, (kept["step"] for kept in records))]
    lost += [_lost("samples.npz", "samples", evaluated, snapshots.taken)]
    for line in filter(None, lost):
        say(line)
    folder.lose([line for line in lost if line])


def begin_anew(folder: RunDir, say: Callable) -> None:
    """Move aside the records and samples of a run that has progressed but has no checkpoint left."""
    steps, damaged = _reached(folder)
    if not damaged and max(steps, default=0) == 0:
        return
    for name in ("metrics.jsonl", "samples.npz"):
        folder.set_aside(name)
    came = f", although the run had reached step {max(steps)}" if max(steps, default=0) else ""
    line = f"no checkpoint is left{came}"
    say(f"{line}; it starts again, and its old records and samples are stored in {folder.path / 'damaged'}")
    folder.lose([line])


def _reached(folder: RunDir) -> tuple[list[int], bool]:
    """Steps of the existing records and samples, and whether one of the files is damaged."""
    steps: list[int] = []
    damaged = False
    with contextlib.suppress(FileNotFoundError):
        records, damage = jsonl.salvage(folder.metrics)
        steps, damaged = [record["step"] for record in records], damage is not None
    try:
        steps += read(folder.samples)["steps"].tolist()
    except FileNotFoundError:
        pass
    except DamagedFile:
        damaged = True
    return steps, damaged


def evaluated_steps(every: int, step: int, ended: bool) -> list[int]:
    """Steps up to `step` at which a run is evaluated, including its last step."""
    steps = list(range(0, step + 1, every))
    return [*steps, step] if ended and steps[-1] != step else steps


def _records(folder: RunDir, step: int, say: Callable) -> list[jsonl.Record]:
    """Intact records up to `step`; a damaged file is moved aside."""
    try:
        records, damage = jsonl.salvage(folder.metrics)
    except FileNotFoundError:
        return []
    if damage is not None:
        say(_kept(folder, damage, "metrics.jsonl"))
    return [record for record in records if record["step"] <= step]


def _kept(folder: RunDir, damage: DamagedFile, name: str) -> str:
    where = f"{name}, line {damage.line}" if damage.line is not None else name
    return f"{where}: {damage.problem}; kept in {folder.set_aside(name)}, {damage.fix}"


def _lost(name: str, what: str, evaluated: list[int], there: Iterable[int]) -> str:
    """Message about missing evaluations of a file; empty if it is complete."""
    gone = np.setdiff1d(evaluated, list(there)).tolist()
    if not gone:
        return ""
    if len(gone) == len(evaluated):
        return f"{name}: all {what} up to step {gone[-1]} are lost"
    some = ", ".join(map(str, gone[:10])) + (f" and {len(gone) - 10} more" if len(gone) > 10 else "")
    return f"{name}: lost its {what} of step{'s' * (len(gone) > 1)} {some}"
