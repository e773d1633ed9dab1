"""The process that has imported sympy and forks one worker at a time.

It reads nothing of any text. On its standard input, a socket, each message brings the channel of
the next worker; the one before is killed. When the parent is gone, however it ended, the socket
closes, and this process kills its worker and ends.
"""

import gc
import os
import signal
import socket
import sys
import tempfile

from versus.grading.symbolic import worker

# Notation for every reader, so that workers begin with all that is imported late or cached.
_WARM_UP = (
    (r"\sin(x)^2+\sqrt{2}", r"1-\cos^2 x+\sqrt 2"),
    ("y=2x+3", r"\frac{y}{x}=2+\frac3x"),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}"),
    (r"\int_0^1 x^2 dx", r"\log_8 2"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
)


def main(parsers: list[str]) -> None:
    """Fork workers until the parent closes the control socket."""
    _into_no_folder()
    _warm_up(parsers)
    control = socket.socket(fileno=0)
    gc.freeze()  # collecting would copy the pages that workers share
    child = 0
    while channel := _next_channel(control):
        _end(child)
        child = os.fork()
        if child == 0:
            control.close()
            worker.serve(channel)
            os._exit(0)
        channel.close()
    _end(child)


def _into_no_folder() -> None:
    """Work in a folder that is removed at once: it is empty and stays so."""
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)


def _warm_up(parsers: list[str]) -> None:
    from versus.grading.symbolic.answering import answer

    for one, other in _WARM_UP:
        answer(one, other, parsers)


def _next_channel(control: socket.socket) -> socket.socket | None:
    try:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
    except OSError:
        return None
    return socket.socket(fileno=descriptors[0]) if message and descriptors else None


def _end(child: int) -> None:
    if child:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
