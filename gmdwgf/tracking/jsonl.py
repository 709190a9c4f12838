"""metrics.jsonl, the records of a run: one JSON object per line, `{"step": 100, "mmd2": 0.0031}`, with strictly increasing steps.

Every value is a number or null. As JSON has no NaN or infinity, NaN is written as `null`, and infinities as `1e999` and `-1e999`,
which `json`, pandas (`read_json(path, lines=True)`, float columns) and JavaScript read as infinity.
"""

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path

from gmdwgf.files import DamagedFile, replaced_atomically
from gmdwgf.mappings import Record as Record
from gmdwgf.reading import one_line, shown
from gmdwgf.tracking.base import RunHeader, Sink, Values

MAX_BYTES = 1 << 28
"""Maximum size of a file of records: about a million records of some hundred bytes."""

FIX = "the command of the run resumes with the intact records"


class JsonlSink(Sink):
    """Writes `metrics.jsonl` in the run folder; each record is synced to disk when `log` returns.

    A run that resumes at step s keeps the records up to s and drops later ones, whose steps will be repeated.
    """

    def start(self, run: RunHeader) -> None:
        self.path = run.folder / "metrics.jsonl"
        truncate(self.path, run.start_step)
        records = read_records(self.path) if self.path.exists() else []
        self._last = records[-1] if records else None

    def log(self, step: int, values: Values) -> None:
        """Append a record, or add values to the last one if it has the same step. Raises ValueError for an earlier step."""
        record = {"step": int(step), **{name: float(value) for name, value in values.items()}}
        last = self._last or {"step": -1}
        if step < last["step"]:
            raise ValueError(f"step {step} was logged after step {last['step']}")
        if step == last["step"]:
            record = last | record
            rewrite(self.path, [*read_records(self.path)[:-1], record])
        else:
            with self.path.open("a") as file:
                _put(file, [record])
        self._last = record


def read_records(path: Path) -> list[Record]:
    """Read the records of `path` in order, with null as NaN.

    An incomplete last line, left by a kill during a write, is ignored. Raises FileNotFoundError, and DamagedFile for other invalid
    lines and for steps that are not increasing.
    """
    records, damage = salvage(path)
    if damage is not None:
        raise damage
    return records


def salvage(path: Path) -> tuple[list[Record], DamagedFile | None]:
    """Read the intact records of `path` in order of steps; returns them with the first problem, if any."""
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        return [], DamagedFile(path, f"has more than {MAX_BYTES:,} bytes", FIX)
    lines = content.decode("utf-8", "replace").splitlines()
    found: dict[int, Record] = {}
    damage, last = None, -1
    for number, line in enumerate(lines, start=1):
        try:
            record = _decode(line)
        except (ValueError, RecursionError):
            if number < len(lines):
                damage = damage or DamagedFile(path, f"is not a record: {one_line(line)[:60]!r}", FIX, number)
            continue
        if record["step"] <= last:
            problem = f"has step {record['step']} after step {last}"
            damage = damage or DamagedFile(path, problem, FIX, number)
        found[record["step"]] = record
        last = record["step"]
    return [found[step] for step in sorted(found)], damage


def truncate(path: Path, step: int) -> None:
    """Drop the records after `step` and an incomplete last line, atomically; does nothing if there is no file."""
    if path.exists():
        rewrite(path, [] if step < 0 else [record for record in read_records(path) if record["step"] <= step])


def rewrite(path: Path, records: Iterable[Record]) -> None:
    """Write a file with these records, atomically."""
    with replaced_atomically(path) as temporary, temporary.open("w") as file:
        _put(file, records)


def _put(file, records: Iterable[Record]) -> None:
    # A single write and an fsync per call: a kill or power loss can corrupt only the last line.
    file.write("".join(_encode(record) + "\n" for record in records))
    file.flush()
    os.fsync(file.fileno())


def _encode(record: Record) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {_number(value)}" for name, value in record.items()) + "}"


def _number(value: float | int) -> str:
    if math.isnan(value):
        return "null"
    return repr(value) if math.isfinite(value) else "1e999" if value > 0 else "-1e999"


def _decode(line: str) -> Record:
    record = json.loads(line)
    if not isinstance(record, dict) or type(record.get("step")) is not int or not 0 <= record["step"] < 2**63:
        raise ValueError("not an object with a step")
    return {shown(name): value if name == "step" else _value(value) for name, value in record.items()}


def _value(value: object) -> float | int:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number or null")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError("not a number or null")
    return value
