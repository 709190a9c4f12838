"""Commands as processes of their own, waited for without a clock."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import user_environment

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # tests in the background of a script: else their children ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)


def start(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.Popen:
    """Begin `python -m gmdwgf.train` in the folder `cwd`."""
    return subprocess.Popen(
        [sys.executable, "-m", "gmdwgf.train", *arguments],
        cwd=cwd,
        env=user_environment(cwd) | (env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(
    condition: Callable[[], object], process: subprocess.Popen, n_tries: int = 30_000, pause: float = 0.02
) -> None:
    """Look until `condition` holds; fails when the process has ended before, or after so many looks (ten minutes of waiting)."""
    for _ in range(n_tries):
        if condition():
            return
        if process.poll() is not None:
            assert condition(), ("it ended before", process.communicate())
            return
        time.sleep(pause)
    process.kill()
    raise AssertionError(("it did not come to this", process.communicate()))
