"""Interface of a sink, which receives the metrics and figures of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gmdwgf.mappings import Config, Facts

Values = dict[str, float | int]
"""Metrics by name."""


class RunHeader(NamedTuple):
    """Information about a run that a sink receives before the first record."""

    id: str
    """Id of the run, a hash of its configuration, which is the same when the run is resumed."""
    name: str
    """Display name of the run."""
    folder: Path
    """Run folder, which exists."""
    config: Config
    """The resolved configuration as plain data."""
    n_steps: int
    """Number of steps of the run."""
    start_step: int = 0
    """Step of the checkpoint from which the run starts."""
    group: str | None = None
    """Name of the sweep that the run belongs to."""
    floor: Mapping[str, tuple[float, float]] = {}
    """Mean and standard deviation of a metric between fresh and held-out target samples, by metric name."""


class Sink:
    """Base class of sinks, which receive plain Python data during a run; all methods are optional.

    Methods can raise; `Tracker` decides which failures end a run.
    """

    def start(self, run: RunHeader) -> None:
        """Called before the first record."""

    def progress(self, step: int, values: Values) -> None:
        """Called between records to show progress."""

    def log(self, step: int, values: Values) -> None:
        """Log the record after `step` steps."""

    def figure(self, name: str, path: Path) -> None:
        """Log a figure written to `path` (PNG) after the last record."""

    def finish(self, summary: Facts) -> None:
        """Called after the last record, also if the run failed."""
