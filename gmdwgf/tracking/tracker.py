"""Forwards to all sinks of a run: failures of the jsonl sink end the run, failures of mirrors are reported."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gmdwgf.mappings import Facts
from gmdwgf.tracking.base import RunHeader, Sink, Values
from gmdwgf.tracking.jsonl import JsonlSink
from gmdwgf.tracking.progress import ProgressSink
from gmdwgf.tracking.wandb import WandbConfig, WandbSink, is_real


@dataclasses.dataclass(frozen=True)
class TrackingConfig:
    """Mirrors of a run in addition to metrics.jsonl; `line_every` in seconds, as in `ProgressSink`."""

    progress: bool
    line_every: float | int
    wandb: WandbConfig

    def __post_init__(self) -> None:
        from gmdwgf.config.fields import FieldError

        if not isinstance(self.progress, bool):
            raise FieldError("progress", self.progress, "must be true or false")
        if not is_real(self.line_every) or not 0 <= self.line_every <= 1e9:
            raise FieldError("line_every", self.line_every, "must be a number of seconds from 0 to 1e9")
        if not isinstance(self.wandb, WandbConfig):
            fix = "must be a mapping with its _target_ and its fields; tracking.wandb.mode=disabled turns it off"
            raise FieldError("wandb", self.wandb, fix)


def make_tracker(
    config: TrackingConfig | None, run: RunHeader, say: Callable[[str], None], progress: Sink | None = None
) -> "Tracker":
    """Make the sinks in `config` for one run, without mirrors if it is None; `say` prints a line for the user.

    `progress` replaces the progress display, e.g. by one that several runs share.
    """
    mirrors: list[Sink] = [] if config is None else [WandbSink(config.wandb, say)]
    if config is not None and config.progress:
        mirrors.insert(0, progress or ProgressSink(config.line_every))
    return Tracker(run, JsonlSink(), mirrors, say)


class Tracker:
    """Forwards everything that is logged to the primary sink `truth` and to the `mirrors`.

    An exception of the primary sink ends the run. An exception of a mirror is reported once and the run continues; a mirror that
    fails to start is dropped.
    """

    def __init__(self, run: RunHeader, truth: Sink, mirrors: Sequence[Sink], say: Callable[[str], None]) -> None:
        self._run, self._truth, self._waiting, self._say = run, truth, mirrors, say
        self._mirrors: list[Sink] = []
        self._failed: set[int] = set()

    def start(self, start_step: int, floor: Mapping[str, tuple[float, float]]) -> None:
        """Start all sinks, for a run that starts after `start_step` steps."""
        run = self._run._replace(start_step=start_step, floor=floor)
        self._truth.start(run)
        self._mirrors = [sink for sink in self._waiting if self._try(sink, "start", run)]

    def progress(self, step: int, values: Values) -> None:
        """Show progress between records."""
        self._to_mirrors("progress", step, values)

    def log(self, step: int, values: Values) -> None:
        """Log the record after `step` steps."""
        self._truth.log(step, values)
        self._to_mirrors("log", step, values)

    def figure(self, name: str, path: Path) -> None:
        """Log a figure written to `path`."""
        self._to_mirrors("figure", name, path)

    def finish(self, summary: Facts) -> None:
        """Finish all sinks; must be called also after an error, and does nothing if the run was not started."""
        self._to_mirrors("finish", summary)
        self._mirrors = []

    def _to_mirrors(self, method: str, *arguments: Any) -> None:
        for sink in self._mirrors:
            self._try(sink, method, *arguments)

    def _try(self, sink: Sink, method: str, *arguments: Any) -> bool:
        try:
            getattr(sink, method)(*arguments)
        except Exception as error:
            if id(sink) not in self._failed:
                self._failed.add(id(sink))
                reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
                self._say(f"{type(sink).__name__} failed to {method} ({reason}); the run continues")
            return False
        return True
