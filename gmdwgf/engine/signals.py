"""Signals that ask a run to save and end: noted while it trains, answered between chunks."""

import contextlib
import signal
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

ALWAYS = ("SIGINT", "SIGTERM", "SIGHUP")
"""Ctrl-C; what schedulers and `kill` send; a terminal that was closed."""

OFFERED = ("SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGQUIT", "SIGALRM")
"""Signals that a scheduler may be told to send before it ends a job."""

CODE = 130
"""With what a command leaves whose runs were stopped and saved: the same command goes on."""


class Interrupted(SystemExit):
    """A run was stopped by a signal, and is saved."""

    def __init__(self, name: str | None = None):
        super().__init__(CODE)
        self.name = name

    def hand_over(self) -> None:
        """Let the handler that was there before the run have the signal: submitit then asks for its job to be queued again."""
        before = signal.getsignal(getattr(signal, self.name)) if self.name else None
        if callable(before) and before is not signal.default_int_handler and _in_main_thread():
            before(getattr(signal, str(self.name)), None)


class Interrupts:
    """While active, a signal only sets `asked`, its number; Ctrl-C after that ends the program at once.

    A signal that was ignored before (SIGHUP under `nohup`) stays ignored.
    """

    def __init__(self, more: Iterable[str] = ()):
        self.asked = 0
        self.names = (*ALWAYS, *more)
        self._before: dict[int, Any] = {}

    def __enter__(self):
        self._before = _handle(self.names, self._ask, keep=(signal.SIG_IGN,))
        return self

    def __exit__(self, *_):
        _restore(self._before)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = self.asked or number


@contextlib.contextmanager
def as_control_c() -> Iterator[None]:
    """While active, every signal that asks a run to end is what Ctrl-C is, outside of the training loop too.

    Left alone are those that something else handles or that are ignored.
    """
    names = [name for name in (*ALWAYS, *OFFERED) if signal.getsignal(getattr(signal, name)) is signal.SIG_DFL]
    before = _handle(names, signal.default_int_handler)
    try:
        yield
    finally:
        _restore(before)


def _handle(names: Iterable[str], handler: Any, keep: tuple = ()) -> dict[int, Any]:
    """Install a handler for signals, but where it is one of `keep`; returns those that were there before."""
    numbers = {getattr(signal, name) for name in names} if _in_main_thread() else set()
    return {number: signal.signal(number, handler) for number in numbers if signal.getsignal(number) not in keep}


def _restore(before: dict[int, Any]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
