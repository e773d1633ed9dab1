"""Faults at a chosen moment: the process dies, the disk fills up, the server goes away.

A *moment* is a call that touches the disk (``os.open``, ``os.fsync``, ``os.replace``) or a
commit of a database. Install a fault in a forked child only.
"""

import errno
import os
from collections.abc import Callable
from typing import Any

Fault = Callable[[int], None]
"""Called with the number of the moment, from 1; may end the process or raise."""


def die_at(moment: int) -> Fault:
    """End the process, uncleanly, at this moment."""

    def fault(now: int) -> None:
        if now == moment:
            os._exit(137)

    return fault


def disk_full_from(moment: int) -> Fault:
    """From this moment on nothing can be written."""

    def fault(now: int) -> None:
        if now >= moment:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return fault


def install(fault: Fault, *, files: bool = True, databases: bool = True) -> Callable[[], int]:
    """Count the moments of this process and call ``fault`` at each; return the counter."""
    count = 0

    def moment() -> None:
        nonlocal count
        count += 1
        fault(count)

    if files:
        for name in ("fsync", "replace", "open"):
            setattr(os, name, _with(getattr(os, name), moment))
    if databases:
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        event.listen(Engine, "commit", lambda _: moment())  # nothing is kept before it
    return lambda: count


def _with(real: Callable[..., Any], moment: Callable[[], None]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        moment()
        return real(*args, **kwargs)

    return call
