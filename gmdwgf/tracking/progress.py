"""Progress display: a live bar on a terminal, otherwise a plain line at intervals."""

import statistics
import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from gmdwgf.mappings import Facts
from gmdwgf.tracking.base import RunHeader, Sink, Values


class ProgressSink(Sink):
    """Shows step, steps per second, remaining time, gap, MMD^2 with its floor, and the RMS velocity.

    Without a terminal, a line is printed at records, at most every `line_every` seconds, and at the end. Lines are printed to
    standard output unless another `console` is given.
    """

    def __init__(
        self, line_every: float | int, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._line_every, self._clock = line_every, clock
        self._console = console or Console()

    def start(self, run: RunHeader) -> None:
        self._run = run
        self._values: Values = {}
        self._last, self._rate = (run.start_step, self._clock()), 0.0
        self._unwritten, self._written_at = "", -float("inf")
        self._bar = None
        if self._console.is_terminal:
            what_is_left = Column(ratio=1, no_wrap=True, overflow="ellipsis")
            name = TextColumn("{task.description}", markup=False, table_column=what_is_left)
            state = TextColumn("{task.fields[state]}", markup=False)
            self._bar = Progress(name, BarColumn(bar_width=10), state, console=self._console, expand=True)
            self._task = self._bar.add_task(run.name, total=run.n_steps, completed=run.start_step, state="compiling")
            self._bar.start()

    def progress(self, step: int, values: Values) -> None:
        now = self._clock()
        before, then = self._last
        if step > before and now > then:
            self._last, self._rate = (step, now), (step - before) / (now - then)
        self._values = self._values | values
        if self._bar is not None:
            self._bar.update(self._task, completed=step, state=progress_line(self._run, step, self._values, self._rate))

    def log(self, step: int, values: Values) -> None:
        self.progress(step, values)
        if self._bar is None:
            self._unwritten = progress_line(self._run, step, self._values, self._rate)
            if self._clock() - self._written_at >= self._line_every:
                self._write()

    def finish(self, summary: Facts) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._unwritten:
            self._write()

    def _write(self) -> None:
        line = f"{self._run.name}  {self._unwritten}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._unwritten, self._written_at = "", self._clock()


def progress_line(run: RunHeader, step: int, values: Values, rate: float | int) -> str:
    """One line about the progress of a run; `rate` is in steps per second, 0 if unknown.

    The gap is the worst of three metrics above fresh data, in standard deviations of their floors. The floor of MMD^2 is shown as
    mean + 2 sd: MMD^2 below it is indistinguishable from fresh data.
    """
    parts = [f"{step}/{run.n_steps}"]
    if rate > 0:
        parts.append(f"{rate:.3g} steps/s")
    if rate > 0 and step < run.n_steps:
        parts.append(f"{duration((run.n_steps - step) / rate)} left")
    if "gap" in values:
        parts.append(f"gap {values['gap']:.3g} sd")
    if "mmd2" in values:
        mean, sd = run.floor.get("mmd2", (0.0, 0.0))
        floor = f" (floor {mean + 2 * sd:.0e})" if sd > 0 else ""
        parts.append(f"MMD^2 {values['mmd2']:.1e}{floor}")
    if "v_rms" in values:
        parts.append(f"|v| {values['v_rms']:.1e}")
    return "  ".join(parts)


def duration(seconds: float | int) -> str:
    """A time in words: `2h05m`, `5m12s` or `42s`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"


class SharedProgress:
    """A progress display shared by concurrent runs: shows the step of the slowest run and the median MMD^2."""

    def __init__(self, name: str, line_every: float | int):
        self.name, self.sink = name, ProgressSink(line_every)
        self.runs: dict[int, tuple[int, Values]] = {}
        """Step and latest values of the active runs."""

    def share(self) -> Sink:
        """Make the sink of another run."""
        return _Share(self)

    def _told(self, run: int, step: int, values: Values, method: str) -> None:
        self.runs[run] = step, self.runs[run][1] | values
        slowest = min(step for step, _ in self.runs.values())
        together = [values for _, values in self.runs.values()]
        names = set.intersection(*(set(values) for values in together))
        middle = {
            name: statistics.median(values[name] for values in together) for name in names & {"gap", "mmd2", "v_rms"}
        }
        getattr(self.sink, method)(slowest, middle)


class _Share(Sink):
    def __init__(self, shared: SharedProgress):
        self._shared = shared

    def start(self, run: RunHeader) -> None:
        if not self._shared.runs:
            self._shared.sink.start(run._replace(name=self._shared.name))
        self._shared.runs[id(self)] = run.start_step, {}

    def progress(self, step: int, values: Values) -> None:
        self._shared._told(id(self), step, values, "progress")

    def log(self, step: int, values: Values) -> None:
        self._shared._told(id(self), step, values, "log")

    def finish(self, summary: Facts) -> None:
        self._shared.runs.pop(id(self), None)
        if not self._shared.runs:
            self._shared.sink.finish(summary)
