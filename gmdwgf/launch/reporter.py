"""Terminal output of a job: messages while it runs, and a table of metrics at the end."""

import math
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gmdwgf.config.build import ConfigError
from gmdwgf.engine.signals import Interrupted
from gmdwgf.files import DamagedFile
from gmdwgf.launch.ledger import SweepLedger
from gmdwgf.launch.spec import RunSpec
from gmdwgf.launch.sweep_clock import current
from gmdwgf.mappings import Facts
from gmdwgf.metrics.table import headline
from gmdwgf.runs.folder import FINISHED, RunIsLive, reason
from gmdwgf.tracking.progress import duration

WORST = math.inf
"""Metric returned to a search for a job that diverged, failed or was not run."""

WORTH_SAYING = 60
"""Seconds from which the remaining time of a sweep is printed."""


class Reporter:
    """Prints the messages of one job; in a sweep every line starts with the job's number and overrides.

    The final state of a job is also written to the sweep's ledger.
    """

    def __init__(self, number: int | None, overrides: list[str], ledger: SweepLedger | None = None):
        self.console = Console(highlight=False, soft_wrap=True)
        self.number, self.overrides, self.ledger = number, overrides, ledger
        self.began = time.perf_counter()
        if ledger is not None and number is not None:
            ledger.begin(number)

    def say(self, line: str) -> None:
        """Print a line about the job."""
        self.console.print(self._line(line), markup=False)

    def detail(self, line: str) -> None:
        """Print a line unless the job is part of a sweep, where it is only logged."""
        if self.number is None:
            self.say(line)

    def skipped(self, spec: RunSpec) -> float:
        """Report that the job was already finished."""
        ending = spec.folder.ending()
        state = ending.get("status")
        what = f"already {state} (gap {_number(ending.get('gap'))}, MMD^2 {_number(ending.get('mmd2'))})"
        if spec.drift_changed():
            again = f"python -m gmdwgf.runs rm {_short(spec)} {state}"
            what += f", with another version of the drift's source file ({again} deletes it for a new run)"
        self._end("skipped", f"{what}, nothing to do: {_short(spec)}")
        return _metric(ending)

    def left_out(self) -> float:
        """Report that the job was not run, because another job failed and sweep.fail_fast is set."""
        self._end("left out", "left out, because another job failed (sweep.fail_fast=true)")
        return WORST

    def would(self, spec: RunSpec, state: str) -> float:
        """Report the outcome of a dry run."""
        if state in FINISHED:
            self._end("would be skipped", f"would be skipped (is {state}): {_short(spec)}")
        else:
            how = {"new": "run", "failed": "be retried"}.get(state, "resume")
            self._end("would run", f"would {how}: {_short(spec)}")
        return WORST

    def finished(self, spec: RunSpec, summary: Facts) -> float:
        """Report the result of the job: a table for a single job, a line in a sweep."""
        status = summary["status"]
        if status == "interrupted":
            by, where = summary.get("signal"), f"stopped at step {summary['step']}"
            what = f"{where}{f' by {by}' if by else ''}, checkpoint saved; the same command resumes from there"
            self.say(f"{what}: {_short(spec)}")
            raise Interrupted(by)
        if status == "diverged":
            what = f"{summary['diverged_term']} = {summary['diverged_value']} at step {summary['diverged_step']}"
            kept = "" if summary["diverged_term"] == "samples" else "; kept the last good state"
            self._end(status, f"diverged ({what}){kept}: {_short(spec)}")
        elif self.number is not None:
            self._end(
                status,
                f"done (gap {_number(summary['gap'])}, MMD^2 {_number(summary['mmd2'])}, {self._seconds()}): {_short(spec)}",
            )
        if self.number is None:
            self._table(spec, summary)
        return _metric(summary)

    def failed(self, spec: RunSpec | None, error: Exception) -> float:
        """Report a job of a sweep that is invalid or crashed; its folder stores the reason, and other jobs continue."""
        if isinstance(error, ConfigError) and spec is not None:
            spec.folder.refuse(spec.id, spec.yaml, error)
        kept = f"; traceback in {_short(spec)}/FAILED.json" if spec and spec.folder.status() == "failed" else ""
        hide = spec.folder.hide if spec else str
        if isinstance(error, ConfigError | RunIsLive | DamagedFile):
            self._end("failed", f"refused: {hide(str(error))}")
        else:
            self._end("failed", f"failed after {self._seconds()} ({hide(reason(error))[:300]}){kept}")
        return WORST

    def wrong(self, error: Exception, hide: Callable[[str], str]) -> float:
        """Report a job that would fail, in a dry run; `hide` removes values of environment variables from the error."""
        known = isinstance(error, ConfigError | RunIsLive | DamagedFile)
        self._end("failed", f"would fail: {hide(str(error)) if known else hide(reason(error))[:300]}")
        return WORST

    def _seconds(self) -> str:
        return f"{time.perf_counter() - self.began:.0f} s"

    def _line(self, line: str) -> str:
        return line if self.number is None else f"[{self.number}] {' '.join(self.overrides)}: {line}"

    def _end(self, state: str, line: str) -> None:
        self.say(line)
        if self.ledger is not None and self.number is not None:
            self.ledger.end(self.number, state, self._line(line))
        clock = current.get()
        if clock is not None and self.number is not None:
            clock.end(self.overrides, has_run=state in ("done", "diverged", "failed"))
            seconds = clock.remaining()
            if state != "skipped" and seconds is not None and seconds >= WORTH_SAYING:
                ended = clock.n_jobs - clock.n_left
                self.console.print(f"{ended} of {clock.n_jobs} jobs have ended, about {duration(seconds)} left in all")

    def _table(self, spec: RunSpec, summary: Facts) -> None:
        from gmdwgf.metrics.table import METRICS

        floors = spec.folder.ending().get("floor", {})
        table = Table(title=f"{spec.name} at step {summary['step']}", title_justify="left")
        for heading in ("metric", "value", "data against data"):
            table.add_column(heading, justify="left" if heading == "metric" else "right")
        for name in METRICS:
            if name in summary:
                mean, sd = floors.get(name, (math.nan, math.nan))
                table.add_row(name, _number(summary[name]), f"{_number(mean)} ± {_number(sd)}")
        table.add_row("v_rms", _number(summary["v_rms"]), "")
        self.console.print(table)
        self.console.print(
            f"trained in {summary['seconds']:.1f} s, {summary['wall_seconds']:.1f} s with start-up, metrics and figures"
        )
        self.console.print(f"figures, samples, checkpoints: {_short(spec)}", markup=False)


def _short(spec: RunSpec) -> str:
    path = spec.folder.path
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _number(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "nan"
    return f"{value:d}" if isinstance(value, int) else f"{value:.4g}"


def _metric(summary: Facts) -> float:
    value = summary.get(headline([summary]))
    return WORST if value is None or math.isnan(value) or summary.get("status") == "diverged" else float(value)
