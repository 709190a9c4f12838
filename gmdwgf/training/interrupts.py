"""Ctrl-C and SIGTERM as a polite question, asked between chunks."""

import signal
import threading
from typing import Any


class Interrupts:
    """While active, the first SIGINT or SIGTERM only sets `asked`; a second one ends the program at once."""

    def __init__(self):
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number, _frame):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
