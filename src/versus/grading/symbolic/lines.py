"""One JSON value per line over a socket, which is all that parent and worker exchange."""

import json
import socket
import time
from typing import Any

_CHUNK = 1 << 16


def send(channel: socket.socket, value: Any) -> None:
    """Write ``value`` as one line; characters that are no text travel escaped."""
    channel.sendall(json.dumps(value).encode() + b"\n")


def receive(channel: socket.socket, deadline: float | None = None) -> Any:
    """The next line's value.

    Args:
        channel: where the other side answers each line with one line.
        deadline: when to give up, in monotonic seconds; never where ``None``.

    Raises:
        EOFError: if the other side is gone.
        TimeoutError: if the deadline passes.
    """
    line = b""
    while not line.endswith(b"\n"):
        if deadline is not None:
            channel.settimeout(max(deadline - time.monotonic(), 1e-3))
        try:
            chunk = channel.recv(_CHUNK)
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            raise EOFError
        line += chunk
    return json.loads(line)
