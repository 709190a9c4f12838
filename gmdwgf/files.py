"""Write files atomically, and report files that cannot be read."""

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path


class DamagedFile(Exception):
    """Raised for a damaged file, with the file, the problem and a fix on one line."""

    def __init__(self, path: Path | str, problem: str, fix: str, line: int | None = None):
        where = f"{path}, line {line}" if line is not None else str(path)
        super().__init__(f"{where}: {problem}; {fix}")
        self.path, self.problem, self.fix, self.line = Path(path), problem, fix, line


@contextlib.contextmanager
def replaced_atomically(path: Path) -> Iterator[Path]:
    """Context with a temporary path next to `path`, which is moved into place at the end.

    Readers see either the old or the new file, never a partial one. If the block raises, the temporary file is deleted.
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
    """Id of the process that writes, or was killed while writing, a temporary file of this name; None for other files."""
    found = re.fullmatch(r"\.[\w.-]+\.(\d{1,10})\.tmp(\.\w+)?", name, re.ASCII)
    return int(found[1]) if found else None


def is_alive(process: int) -> bool:
    """Whether this machine has a process with this id."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def write_atomically(path: Path, text: str) -> None:
    """Write a text file atomically: readers see either the old or the new one, never a partial one."""
    with replaced_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def escape_what_cannot_be_shown() -> None:
    """Print characters that the terminal's encoding lacks as escapes like `\\xe9`, instead of raising an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
