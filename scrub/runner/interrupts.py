"""Ctrl-C and SIGTERM: both stop a run in the same way, and neither stops it while it saves."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Terminated(KeyboardInterrupt):
    """SIGTERM came: a batch system, say, wants the machine back."""


@contextmanager
def sigterm_stops() -> Iterator[None]:
    """SIGTERM raises `Terminated` here, as Ctrl-C raises a KeyboardInterrupt.

    Also where a library waits, which makes a KeyboardInterrupt of whatever a handler raises.
    """
    came: list[int] = []

    def stop(number: int, frame: Any) -> None:
        came.append(number)
        raise Terminated

    with _handled({signal.SIGTERM: stop}):
        try:
            yield
        except KeyboardInterrupt as error:
            if came and not isinstance(error, Terminated):
                raise Terminated from error
            raise


@contextmanager
def nothing_stops() -> Iterator[None]:
    """Neither signal does anything here: people press Ctrl-C twice."""
    with _handled({signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: signal.SIG_IGN}):
        yield


@contextmanager
def _handled(handlers: dict[signal.Signals, Any]) -> Iterator[None]:
    """With these handlers; without, in a thread that is not the main one, which gets no signal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
