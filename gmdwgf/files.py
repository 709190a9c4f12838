"""Files written whole or not at all, and what to say of one that cannot be read."""

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path


class DamagedFile(Exception):
    """A file of a run or of data that cannot be read back: which file, what is wrong with it, and what to do, on one line."""

    def __init__(self, path: Path | str, problem: str, fix: str, line: int | None = None):
        where = f"{path}, line {line}" if line is not None else str(path)
        super().__init__(f"{where}: {problem}; {fix}")
        self.path, self.problem, self.fix, self.line = Path(path), problem, fix, line


@contextlib.contextmanager
def replaced_atomically(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix; what is written there is moved into place when the block ends well.

    A reader sees the old file or the new one, never half of one. Where the block raises, the temporary file is removed.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def writer_of(name: str) -> int | None:
    """The process by which a file of this name is being written, or was when it was killed; None for no temporary file of ours."""
    found = re.fullmatch(r"\.[\w.-]+\.(\d{1,10})\.tmp(\.\w+)?", name, re.ASCII)
    return int(found[1]) if found else None


def is_alive(process: int) -> bool:
    """Whether this machine has a process of that number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old one or the new one, never half of one."""
    with replaced_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def escape_what_cannot_be_shown() -> None:
    """Let a terminal that knows few letters show the others as `\\xe9`: a name on the disk must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
