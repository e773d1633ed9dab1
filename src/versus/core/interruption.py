"""Ctrl+C and SIGTERM wait until the work is at a point where it can be saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Request:
    """Whether someone asked the process to stop."""

    def __init__(self) -> None:
        self.made = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note the first signal; the second one interrupts at once."""
        if self.made:
            raise KeyboardInterrupt
        self.made = True


@contextmanager
def deferred() -> Iterator[Request]:
    """Let the first Ctrl+C or SIGTERM only be noted inside the block.

    Outside the main thread, where Python handles no signals, nothing is changed.

    Raises:
        KeyboardInterrupt: at the end of the block, if it took no notice of the request.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = [signal.signal(number, request) for number in SIGNALS]
    try:
        yield request
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)
    if request.made:
        raise KeyboardInterrupt
