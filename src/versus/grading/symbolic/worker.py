"""The process in which sympy meets a model's text: limited, and killed when it takes too long."""

import os
import resource
import socket
from typing import Any

from versus.grading.symbolic import lines

SECONDS = 2.0
"""What one answer may take, of the clock and of the processor."""

_MEMORY = 1 << 30
_LIMITS = {
    "RLIMIT_AS": _MEMORY,
    "RLIMIT_FSIZE": 0,
    "RLIMIT_NPROC": 0,
    "RLIMIT_NOFILE": 16,
    "RLIMIT_CORE": 0,
}


def serve(channel: socket.socket) -> None:
    """Answer requests until the other side closes the channel or memory runs out."""
    _limit()
    lines.send(channel, {"pid": os.getpid()})
    while True:
        try:
            request = lines.receive(channel)
        except EOFError:
            return
        _limit_processor_time()
        try:
            reply = _reply(request)
        except MemoryError:
            lines.send(channel, {"dead": "out of memory"})
            return
        lines.send(channel, reply)


def _reply(request: dict[str, Any]) -> dict[str, str]:
    from versus.grading.symbolic.answering import answer

    try:
        return answer(**request)
    except MemoryError:
        raise
    except Exception as error:  # whatever sympy raises, the text has no verdict
        reason = f"not computed: {type(error).__name__}"
        return {"outcome": "unparsed", "reason": reason, "parser": request["parsers"][-1]}


def _limit() -> None:
    for name, value in _LIMITS.items():
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (AttributeError, OSError, ValueError):
            continue  # macOS lacks some


def _limit_processor_time() -> None:
    """The parent watches the clock; this holds even when the parent is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime + SECONDS) + 1
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, most))
