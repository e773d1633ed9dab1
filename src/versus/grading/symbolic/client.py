"""One worker per process: started when first needed, replaced when it overruns or dies.

A fork of the process closes its copies of the sockets and starts a worker of its own.
"""

import atexit
import os
import socket
import threading
import time
from typing import Any

from versus.core.errors import VersusError
from versus.grading.symbolic import lines, worker
from versus.grading.symbolic.zygote import Zygote

_START_SECONDS = 120.0  # imports on a busy machine


class OverrunError(Exception):
    """The worker was killed or died over a request; the next request finds a new one."""


class Client:
    """Asks the worker, one request at a time, from any thread.

    Attributes:
        pid: of the worker that answered last.
    """

    def __init__(self) -> None:
        self.pid = 0
        self._lock = threading.Lock()
        self._zygote: Zygote | None = None
        self._channel: socket.socket | None = None
        self._greeted = False

    def ask(self, request: dict[str, Any]) -> dict[str, str]:
        """The worker's reply.

        Raises:
            OverrunError: if the request takes too long or kills the worker.
            VersusError: if no worker can be started.
        """
        with self._lock:
            try:
                return self._exchange(request)
            except BaseException:  # an interrupted exchange would leave a reply behind
                self._replace()
                raise

    def close(self) -> None:
        """End the worker and the process that forks workers."""
        with self._lock:
            self._close_channel()
            if self._zygote is not None:
                self._zygote.end()
                self._zygote = None

    def forget(self) -> None:
        """In a fork: leave the processes to the one that started them."""
        self._lock = threading.Lock()
        self._close_channel()
        if self._zygote is not None:
            self._zygote.forget()
            self._zygote = None

    def _exchange(self, request: dict[str, Any]) -> dict[str, str]:
        try:
            channel = self._ready()
            lines.send(channel, request)
        except (EOFError, OSError):  # worker or zygote was killed while nobody asked
            self._replace()
            channel = self._ready_or_fail()
            lines.send(channel, request)
        return _reply(channel)

    def _ready_or_fail(self) -> socket.socket:
        try:
            return self._ready()
        except (EOFError, OSError) as error:
            raise VersusError(
                "grading: the worker process for symbolic answers does not start; "
                "run 'python -m versus.grading.symbolic' to see why"
            ) from error

    def _ready(self) -> socket.socket:
        """The channel of a worker that waits for requests."""
        channel = self._channel or self._fork()
        if not self._greeted:
            self.pid = lines.receive(channel, time.monotonic() + _START_SECONDS)["pid"]
            self._greeted = True
        return channel

    def _fork(self) -> socket.socket:
        self._zygote = self._zygote or Zygote()
        self._channel = self._zygote.fork()
        return self._channel

    def _replace(self) -> None:
        """Kill the worker and have the next one forked."""
        self._close_channel()
        if self._zygote is not None:
            try:
                self._fork()
            except OSError:
                self._zygote.end()
                self._zygote = None

    def _close_channel(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._channel, self._greeted = None, False


def _reply(channel: socket.socket) -> dict[str, str]:
    try:
        reply: dict[str, str] = lines.receive(channel, time.monotonic() + worker.SECONDS)
    except TimeoutError:
        raise OverrunError(f"took longer than {worker.SECONDS:g} s") from None
    except EOFError:
        raise OverrunError("the worker process died") from None
    if "dead" in reply:
        raise OverrunError(reply["dead"])
    return reply


CLIENT = Client()
"""This process's worker."""

atexit.register(CLIENT.close)
os.register_at_fork(after_in_child=CLIENT.forget)
