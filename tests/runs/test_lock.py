"""Who may write a run, and what is said of who holds it."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys

import pytest

from gmdwgf.config.build import ConfigError
from gmdwgf.runs.folder import RunDir, RunIsLive, RunVanished

HOLD = "import sys, time; from pathlib import Path; from gmdwgf.runs.folder import RunDir\n"
HOLD += "with RunDir(Path(sys.argv[1])).lock(): print('held', flush=True); time.sleep(600)"


@pytest.fixture
def holder(tmp_path):
    """A process that holds the run."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_who_holds_a_run_is_said(holder, tmp_path):
    said = (
        rf"being written by another process \(process {holder.pid} on {os.uname().nodename}, since 2.*\); wait for it"
    )
    with pytest.raises(RunIsLive, match=said), RunDir(tmp_path).lock():
        pass


def test_a_lock_left_by_a_killed_process_is_free_and_nothing_is_said(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run.lock").read_text()
    with RunDir(tmp_path).lock() as to_say:
        assert to_say is None
    assert (tmp_path / "run.lock").read_text() == ""


def test_a_lock_left_by_another_host_is_taken_and_said(tmp_path):
    (tmp_path / "run.lock").write_text(json.dumps({"host": "node7", "pid": 12, "since": "2026-01-02 03:04:05"}))
    with RunDir(tmp_path).lock() as to_say:
        assert "(process 12 on node7, since 2026-01-02 03:04:05); make sure that it is not still running" in to_say
    with RunDir(tmp_path).lock() as to_say:
        assert to_say is None


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_a_lock_file_that_cannot_be_read_is_taken(content, tmp_path):
    (tmp_path / "run.lock").write_bytes(content)
    with RunDir(tmp_path).lock() as to_say:
        assert to_say is None


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_named_with_a_fix(number, tmp_path, monkeypatch):
    def without_locks(file, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", without_locks)
    with (
        pytest.raises(ConfigError, match="paths.root=.*has no locks .*; choose another folder"),
        RunDir(tmp_path).lock(),
    ):
        pass


def test_a_folder_that_vanished_is_noticed_once_the_run_has_begun(tmp_path):
    folder = RunDir(tmp_path / "run")
    with folder.lock():
        folder.check_there()  # not begun: nothing can be missing
        folder.begin("seed: 0", {"id": "0"})
        folder.check_there()
        folder.path.rename(tmp_path / "moved")
        with pytest.raises(RunVanished, match="was deleted or moved during the run; the same command starts it again"):
            folder.check_there()
