"""Signals that save and stop a run: recorded during training, handled between chunks."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | signal.Handlers | int | None
"""What `signal.signal` accepts and returns."""

ALWAYS = ("SIGINT", "SIGTERM", "SIGHUP")
"""Sent by Ctrl-C, by schedulers and `kill`, and when a terminal is closed."""

OFFERED = ("SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGQUIT", "SIGALRM")
"""Signals that a scheduler can be configured to send before it ends a job."""

CODE = 130
"""Exit code of a command whose runs were stopped and saved; the same command resumes them."""


class Interrupted(SystemExit):
    """Raised when a run was stopped by a signal and saved."""

    def __init__(self, name: str | None = None):
        super().__init__(CODE)
        self.name = name

    def hand_over(self) -> None:
        """Pass the signal to the previous handler, with which submitit requeues its job."""
        before = signal.getsignal(getattr(signal, self.name)) if self.name else None
        if callable(before) and before is not signal.default_int_handler and _in_main_thread():
            before(getattr(signal, str(self.name)), None)


class Interrupts:
    """Context in which a signal only sets `asked` to its number; a second Ctrl-C raises at once.

    Signals that were ignored before (SIGHUP under `nohup`) stay ignored.
    """

    def __init__(self, more: Iterable[str] = ()):
        self.asked = 0
        self.names = (*ALWAYS, *more)
        self._before: dict[int, Handler] = {}

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
    """Context in which all stop signals raise KeyboardInterrupt like Ctrl-C, also outside of the training loop.

    Signals that are ignored or have another handler are unchanged.
    """
    names = [name for name in (*ALWAYS, *OFFERED) if signal.getsignal(getattr(signal, name)) is signal.SIG_DFL]
    before = _handle(names, signal.default_int_handler)
    try:
        yield
    finally:
        _restore(before)


def _handle(names: Iterable[str], handler: Handler, keep: tuple = ()) -> dict[int, Handler]:
    """Install a handler for signals, except those whose handler is in `keep`; returns the previous handlers."""
    numbers = {getattr(signal, name) for name in names} if _in_main_thread() else set()
    return {number: signal.signal(number, handler) for number in numbers if signal.getsignal(number) not in keep}


def _restore(before: dict[int, Handler]) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
