"""A process that ends with the one that started it, even if that one is killed.

The starter holds one end of a pipe, which the system closes when it dies, however it dies.
"""

import os
import signal
import threading

NAME = "VERSUS_LIFELINE"
"""Set for processes whose standard input is such a pipe."""


def attach() -> None:
    """If there is a lifeline, ask this process to save and end once it is cut."""
    if os.environ.pop(NAME, ""):  # not for processes that this one starts
        threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
