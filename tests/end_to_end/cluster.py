"""A Ray cluster of several nodes on this machine, whose nodes can be killed with all they run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil


class Machines:
    """A head that runs nothing, and nodes that run one task each.

    Args:
        cluster: of ``ray.cluster_utils``.
    """

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self.nodes: list[Any] = []

    def join(self, count: int) -> None:
        """Add nodes."""
        self.nodes += [self.cluster.add_node(num_cpus=1) for _ in range(count)]

    @property
    def address(self) -> str:
        """What --launcher.address takes."""
        return str(self.cluster.address)

    def training(self) -> list[psutil.Process]:
        """Processes that do what the cluster was asked for, one for each busy node."""
        return [found for node in self.nodes for found in _versus(node)]

    def kill_a_busy_node(self) -> None:
        """As if its plug had been pulled: no process of it does anything any more."""
        busy = next(node for node in self.nodes if _versus(node))
        raylet = _raylet(busy)
        everything = [raylet, *raylet.children(recursive=True)]
        for process in everything:
            process.suspend()  # nobody sees another one die
        for process in everything:
            process.kill()
        self.nodes.remove(busy)
        self.cluster.remove_node(busy, allow_graceful=False)


def _raylet(node: Any) -> psutil.Process:
    (raylet,) = node.all_processes["raylet"]
    return psutil.Process(raylet.process.pid)


def _versus(node: Any) -> list[psutil.Process]:
    found = []
    for process in _raylet(node).children(recursive=True):
        try:
            if process.cmdline()[1:3] == ["-m", "versus"]:
                found.append(process)
        except psutil.Error:  # it has ended meanwhile
            continue
    return found


@contextmanager
def machines() -> Iterator[Machines]:
    """A cluster that is gone at the end."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    try:
        yield Machines(cluster)
    finally:
        cluster.shutdown()
