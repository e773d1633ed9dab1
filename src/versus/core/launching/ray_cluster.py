"""Commands as tasks of a Ray cluster. The only file that knows Ray, which is an extra."""

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from versus.core.display import Display
from versus.core.errors import ConfigError, ProcessError
from versus.core.launching import child
from versus.core.launching.child import Piece
from versus.core.launching.config import Launcher

GIB = 2**30
TICK = 1.0  # seconds between looks at the tasks
ANSWER = 10.0  # seconds that a head has to answer
LEAVE = child.GRACE + 10  # seconds that cancelled tasks have to save


def run(
    pieces: Sequence[Piece],
    launcher: Launcher,
    resources: Mapping[str, float],
    display: Display,
    tick: Callable[[Piece | None], None],
) -> dict[str, str]:
    """Run every piece somewhere on the cluster, again where a process or machine dies.

    Args:
        pieces: what is run.
        launcher: the cluster, and how often a piece is tried.
        resources: of one piece, see :func:`resources_of`.
        display: told of what no machine can run.
        tick: called every second, and with each piece that has ended well.

    Returns:
        Piece -> what went wrong with it, for those that failed.

    Raises:
        ConfigError: if Ray is not installed or the cluster cannot be reached.
        KeyboardInterrupt: after all have saved, if Ctrl+C or SIGTERM asked to stop.
    """
    ray = _imported()
    with _connected(ray, launcher.address):
        if lacking := unmet(resources, [node["Resources"] for node in _alive(ray)]):
            display.warn(lacking)
        retried = {"max_retries": launcher.retries, "retry_exceptions": [child.Killed]}
        task = ray.remote(child.run)
        waiting = {
            task.options(name=piece.name, **resources, **retried).remote(piece): piece
            for piece in pieces
        }
        return _results(ray, waiting, tick)


def resources_of(launcher: Launcher, threads: int, device: str) -> dict[str, float]:
    """What Ray reserves for a stack or worker, as options of a task.

    Raises:
        ConfigError: if the runs ask for a GPU that no task would be given.
    """
    if device.startswith("cuda") and not launcher.gpus:
        raise ConfigError(
            f"launcher.gpus: device {device!r} needs one, received 0; give --launcher.gpus 1"
        )
    memory = {"memory": launcher.memory * GIB} if launcher.memory else {}
    return {"num_cpus": launcher.cpus or threads, "num_gpus": launcher.gpus, **memory}


def unmet(resources: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> str:
    """What to say if no node can hold these resources, which would mean waiting for ever."""
    names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
    wanted = {names[key]: amount for key, amount in resources.items() if amount}
    if any(all(node.get(k, 0) >= v for k, v in wanted.items()) for node in nodes):
        return ""
    there = "; ".join(_told(node, wanted) for node in nodes) or "none"
    return (
        f"launcher: no machine of the cluster has {_told(wanted, wanted)} (there are: {there}); "
        "waiting for one to join; Ctrl+C and smaller launcher.* if none will"
    )


def _told(amounts: Mapping[str, float], names: Mapping[str, float]) -> str:
    units = {"memory": GIB}
    parts = [f"{amounts.get(n, 0) / units.get(n, 1):g} {n}" for n in names]
    return ", ".join(f"{part} (GiB)" if "memory" in part else part for part in parts)


def _imported() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to its makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")  # 0 GPUs: none are seen
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "launcher.kind: ray is not installed; install it here and on every machine of the "
            "cluster with `pip install 'versus-lab[ray]'`"
        ) from error
    return ray


@contextlib.contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """A connection to the cluster; one that the caller had is used and stays."""
    if ray.is_initialized():
        yield
        return
    try:
        _check_answer(address)
        with _signals_kept():
            ray.init(
                address or None,
                log_to_driver=False,
                logging_level=logging.ERROR,
                include_dashboard=None if address else False,
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ConfigError(
            f"launcher.address: no Ray cluster answers at {address or 'this machine'!r} "
            f"({' '.join(str(error).split())[:200]}); start one with `ray start --head`, and give "
            "the address that it prints"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_answer(address: str) -> None:
    """Ask first: Ray itself tries for minutes.

    Raises:
        OSError: if nobody listens there.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=ANSWER).close()


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray puts its own handler of SIGTERM in place of ours."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _alive(ray: Any) -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _results(
    ray: Any, waiting: dict[Any, Piece], tick: Callable[[Piece | None], None]
) -> dict[str, str]:
    failed: dict[str, str] = {}
    try:
        while waiting:
            ended, _ = ray.wait(list(waiting), timeout=TICK)
            for task in ended:
                piece = waiting.pop(task)
                if problem := _problem(ray, task):
                    failed[piece.name] = problem
                else:
                    tick(piece)
            tick(None)
    except BaseException:  # an interruption too; it goes on to the caller
        for task in waiting:
            ray.cancel(task)
        if waiting:
            ray.wait(list(waiting), num_returns=len(waiting), timeout=LEAVE)
        raise
    return failed


def _problem(ray: Any, task: Any) -> str:
    """Why a task failed; empty if it did not."""
    try:
        code, told = ray.get(task)
    except ray.exceptions.RayError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return f"its process or machine died again and again ({lines[-1].strip()})"
    except ConnectionError as error:
        raise ProcessError(
            f"the Ray cluster is gone ({error}); the same command continues on another"
        ) from error
    return str(told or f"exit code {code}") if code else ""
