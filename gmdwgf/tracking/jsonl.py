"""metrics.jsonl, the truth of a run: one JSON object a line, `{"step": 100, "mmd2": 0.0031}`, steps strictly rising.

Every value is a number or null. JSON has no NaN and no infinity, so NaN is written as `null` and infinities as
`1e999` and `-1e999`, numbers too large for a double, which `json`, pandas (`read_json(path, lines=True)`, float
columns) and JavaScript all read as infinity.
"""

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gmdwgf.files import replaced_atomically
from gmdwgf.tracking.base import RunInfo, Sink, Values

Record = dict[str, Any]
"""`step`, a whole number, and metrics by name."""


class JsonlSink(Sink):
    """Writes `metrics.jsonl` in the run's folder; a record is on the disk when `log` returns.

    A run that starts at step s keeps the records up to s: those after it were made by steps that will be taken again.
    """

    def start(self, run: RunInfo) -> None:
        self.path = run.folder / "metrics.jsonl"
        truncate(self.path, run.start_step)
        records = read(self.path) if self.path.exists() else []
        self._last = records[-1] if records else None

    def log(self, step: int, values: Values) -> None:
        """Add a record, or values to the last one if it has the same step; raises ValueError for an earlier step."""
        record = {"step": int(step), **{name: float(value) for name, value in values.items()}}
        last = self._last or {"step": -1}
        if step < last["step"]:
            raise ValueError(f"step {step} was logged after step {last['step']}")
        if step == last["step"]:
            record = last | record
            _rewrite(self.path, [*read(self.path)[:-1], record])
        else:
            with self.path.open("a") as file:
                _put(file, [record])
        self._last = record


def read(path: Path) -> list[Record]:
    """The records of `path`, in order; null comes back as NaN.

    A last line torn by a kill in the middle of a write is left out. Raises FileNotFoundError, and ValueError for a bad
    line elsewhere.
    """
    lines = path.read_text(errors="replace").splitlines()
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(_decode(line))
        except ValueError as error:
            if number < len(lines):
                raise ValueError(f"{path}, line {number} is not a record: {line[:60]!r}") from error
    return records


def truncate(path: Path, step: int) -> None:
    """Drops the records after `step` and a torn last line, atomically; does nothing if there is no file."""
    if path.exists():
        _rewrite(path, [record for record in read(path) if record["step"] <= step])


def _rewrite(path: Path, records: Iterable[Record]) -> None:
    with replaced_atomically(path) as temporary, temporary.open("w") as file:
        _put(file, records)


def _put(file, records: Iterable[Record]) -> None:
    # One write a call and an fsync: a kill, or the loss of the machine, tears the last line at most.
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
    if not isinstance(record, dict) or not isinstance(record.get("step"), int):
        raise ValueError("not an object with a step")
    return {name: math.nan if value is None else value for name, value in record.items()}
