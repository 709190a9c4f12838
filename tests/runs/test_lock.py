"""Who may write a run, and what is said of who holds it."""

import errno
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
from types import SimpleNamespace

import pytest

from gmdwgf.config.build import ConfigError
from gmdwgf.runs.folder import RunDir, RunIsLive, RunVanished
from gmdwgf.runs.records import is_live

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


def test_asking_whether_a_run_is_live_writes_nothing(tmp_path):
    assert not is_live(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "run.lock").write_text("{}")
    (tmp_path / "run.lock").chmod(0o444)
    assert not is_live(tmp_path)
    assert (tmp_path / "run.lock").read_text() == "{}"


@pytest.fixture
def as_on_windows(monkeypatch):
    """No `fcntl`, and a `msvcrt` that locks bytes from the position of the file on, with the byte locks of Linux."""

    def locking(file, mode, n_bytes):
        is_read_only = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        kind = {0: fcntl.F_UNLCK, 2: fcntl.F_RDLCK if is_read_only else fcntl.F_WRLCK}[mode]
        first = os.lseek(file, 0, os.SEEK_CUR)
        assert first > 1000, "a locked byte cannot be read on Windows, and the name of the holder must be"
        wanted = struct.pack("hhqqi", kind, os.SEEK_SET, first, n_bytes, 0)
        try:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, wanted)
        except BlockingIOError as error:
            raise PermissionError(errno.EACCES, "Permission denied") from error

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2, LK_UNLCK=0))
    monkeypatch.setitem(sys.modules, "fcntl", None)


@pytest.mark.skipif(
    not hasattr(fcntl, "F_OFD_SETLK"), reason="byte locks of one process against itself are those of Linux"
)
def test_without_fcntl_one_process_at_a_time_has_a_run_and_its_holder_is_said(as_on_windows, tmp_path):
    with RunDir(tmp_path).lock():
        assert is_live(tmp_path)
        with pytest.raises(RunIsLive, match=f"process {os.getpid()} on"), RunDir(tmp_path).lock():
            pass
    assert not is_live(tmp_path)
    with RunDir(tmp_path).lock() as to_say:
        assert to_say is None


def test_runs_and_workers_are_imported_without_fcntl():
    code = "import sys; sys.modules['fcntl'] = None; import gmdwgf.runs.records, gmdwgf.launch.workers"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_folder_that_vanished_is_noticed_once_the_run_has_begun(tmp_path):
    folder = RunDir(tmp_path / "run")
    with folder.lock():
        folder.check_there()  # not begun: nothing can be missing
        folder.begin("seed: 0", {"id": "0"})
        folder.check_there()
        folder.path.rename(tmp_path / "moved")
        with pytest.raises(RunVanished, match="was deleted or moved during the run; the same command starts it again"):
            folder.check_there()
