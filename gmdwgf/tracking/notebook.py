"""Progress display in a notebook: one line that is updated."""

import sys
import time
from typing import TextIO

from gmdwgf.mappings import Facts
from gmdwgf.tracking.base import RunHeader, Sink, Values
from gmdwgf.tracking.progress import ProgressSink, progress_line


def in_notebook() -> bool:
    """Whether this process is a notebook kernel; does not import IPython."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def default_progress(line_every: float | int = 10.0) -> Sink:
    """Default progress display: a bar on a terminal, an updated line in a notebook, and otherwise a line at intervals."""
    return LineProgress(sys.stdout) if in_notebook() else ProgressSink(line_every)


class LineProgress(Sink):
    """Overwrites its line at every chunk and record by a carriage return; the last line ends with a newline."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def start(self, run: RunHeader) -> None:
        self._run, self._values, self._width = run, {}, 0
        self._began = time.monotonic()
        self._write(run.start_step)

    def progress(self, step: int, values: Values) -> None:
        self._values = self._values | values
        self._write(step)

    def log(self, step: int, values: Values) -> None:
        self.progress(step, values)

    def finish(self, summary: Facts) -> None:
        self._stream.write("\n")
        self._stream.flush()

    def _write(self, step: int) -> None:
        seconds = time.monotonic() - self._began
        pace = (step - self._run.start_step) / seconds if seconds > 0 else 0.0
        line = f"{self._run.name}  {progress_line(self._run, step, self._values, pace)}"
        self._width = max(self._width, len(line))
        self._stream.write("\r" + line.ljust(self._width))
        self._stream.flush()
