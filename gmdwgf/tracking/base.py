"""The protocol of a sink: where the numbers and pictures of a run go."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gmdwgf.mappings import Config, Facts

Values = dict[str, float | int]
"""Metrics by name."""


class RunHeader(NamedTuple):
    """What a sink is told of a run before its first record."""

    id: str
    """The run's identity, a hash of its configuration: the same run has the same id when it is resumed."""
    name: str
    """What a person calls it."""
    folder: Path
    """Where the run writes; it exists."""
    config: Config
    """The resolved configuration, plain data."""
    n_steps: int
    """The step at which the run ends."""
    start_step: int = 0
    """The step of the checkpoint it starts from."""
    group: str | None = None
    """The sweep it belongs to."""
    floor: Mapping[str, tuple[float, float]] = {}
    """Mean and standard deviation of a metric between fresh and held-out target samples, by metric name."""


class Sink:
    """Takes plain Python data while a run goes on; every method may be left out.

    A sink may raise: `Tracker` decides which failures end a run.
    """

    def start(self, run: RunHeader) -> None:
        """Before the first record."""

    def progress(self, step: int, values: Values) -> None:
        """A sign of life between records, not kept."""

    def log(self, step: int, values: Values) -> None:
        """The record after `step` steps."""

    def figure(self, name: str, path: Path) -> None:
        """A picture that has been written to `path` (PNG), made after the last logged step."""

    def finish(self, summary: Facts) -> None:
        """After the last record, also of a run that failed."""
