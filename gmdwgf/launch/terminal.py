"""Standard output and error that tolerate a closed terminal or pipe."""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO


class LastingStream:
    """Text stream that discards all output after a write has failed because its terminal or pipe was closed.

    The run continues, since its messages are also logged in its folder.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        """Write or discard the text."""
        try:
            return self._stream.write(text)
        except OSError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        """Flush or discard the buffer."""
        try:
            self._stream.flush()
        except OSError:
            self._drop()

    def writelines(self, lines: Iterable[str]) -> None:
        """Write or discard the lines."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _drop(self) -> None:
        with contextlib.suppress(
            OSError, ValueError
        ):  # redirect the buffer, and output of other code, to the null device
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def lasting_output() -> Iterator[None]:
    """Context in which standard output and error tolerate a closed terminal or pipe."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (LastingStream(stream) for stream in before)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before
