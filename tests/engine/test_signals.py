"""Signals to this very process."""

import signal

import pytest

from gmdwgf.config.fields import FieldError
from gmdwgf.engine.multihost import DevicesConfig
from gmdwgf.engine.signals import Interrupted, Interrupts, as_control_c


@pytest.fixture
def handler():
    """Sets handlers of signals, which are put back at the end."""
    before = {}

    def set_handler(name, action):
        number = getattr(signal, name)
        before.setdefault(number, signal.getsignal(number))
        signal.signal(number, action)

    yield set_handler
    for number, action in before.items():
        signal.signal(number, action)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGXCPU"])
def test_a_signal_is_noted_and_its_handler_put_back(name):
    before = signal.getsignal(getattr(signal, name))
    with Interrupts(["SIGUSR1", "SIGXCPU"]) as interrupts:
        signal.raise_signal(getattr(signal, name))
        assert signal.Signals(interrupts.asked).name == name
    assert signal.getsignal(getattr(signal, name)) is before


def test_control_c_after_any_signal_ends_at_once_and_another_signal_does_not():
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        assert interrupts.asked == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_signal_that_nohup_ignores_stays_ignored(handler):
    handler("SIGHUP", signal.SIG_IGN)
    with as_control_c(), Interrupts() as interrupts:
        signal.raise_signal(signal.SIGHUP)
        assert interrupts.asked == 0
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_outside_of_training_a_signal_is_what_control_c_is_but_where_something_handles_it(handler):
    seen = []
    handler("SIGUSR2", lambda number, frame: seen.append(number))
    handler("SIGTERM", signal.SIG_DFL)
    with as_control_c():
        signal.raise_signal(signal.SIGUSR2)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert seen == [signal.SIGUSR2]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_the_handler_that_was_there_before_has_the_signal_after_the_run_is_saved(handler):
    seen = []
    handler("SIGUSR2", lambda number, frame: seen.append(number))
    with Interrupts(["SIGUSR2"]):
        signal.raise_signal(signal.SIGUSR2)
        assert seen == []
    Interrupted("SIGUSR2").hand_over()
    assert seen == [signal.SIGUSR2]
    Interrupted("SIGINT").hand_over()  # Python's own handler would only say that Ctrl-C was typed


@pytest.mark.parametrize("value", [["USR1"], ["SIGKILL"], "SIGUSR1", [10], None])
def test_signals_that_cannot_ask_a_run_to_save_are_refused(value):
    with pytest.raises(FieldError, match="save_signals.*must be a list .*SIGUSR1"):
        DevicesConfig(save_signals=value)
