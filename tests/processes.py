"""Commands as processes of their own, waited for without a clock."""

import signal
import socket
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
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # tests under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


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


def start_several(
    n: int, *arguments: str, cwd: Path, env: dict[str, str] | None = None, timeout: int = 10
) -> list[subprocess.Popen]:
    """Begin one run by `n` processes of this machine; the first is the one that writes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    group = [f"devices.coordinator=127.0.0.1:{port}", f"devices.n_processes={n}", f"devices.timeout={timeout}"]
    return [start(*arguments, *group, f"devices.process={index}", cwd=cwd, env=env) for index in range(n)]


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
