"""Where the runs of a comparison train, and what each may use."""

from typing import Literal

from pydantic import Field

from versus.core.config import Section


class Launcher(Section):
    """Where stacks train and workers of a study work; results do not depend on it."""

    kind: Literal["local", "ray", "slurm"] = "local"
    """``local`` (this process), ``ray`` (extra ``ray``) or ``slurm`` (job arrays)."""
    address: str = ""
    """Ray's head, as ``host:port``; empty = RAY_ADDRESS, else the cluster of this machine, else
    one that is started for the command."""
    cpus: int = Field(0, ge=0)
    """Processor cores reserved for a stack or worker; 0 = as many as ``threads``, which alone
    decides how many are used."""
    gpus: float = Field(0.0, ge=0)
    """GPUs reserved for a stack or worker; below 1 several share one (Ray only)."""
    memory: float = Field(0.0, ge=0)
    """Memory reserved for a stack or worker in GiB; 0 = the cluster's default."""
    retries: int = Field(3, ge=0)
    """How often a stack or worker whose process or machine died is started again."""
    time: str = Field("", pattern=r"^((\d+-)?\d+(:\d+){0,2})?$")
    """SLURM: limit of one job as ``[days-]hours:minutes:seconds``; empty = the partition's."""
    partition: str = Field("", pattern=r"^[^\s'\"]*$")
    """SLURM: partition; empty = the cluster's default."""
    options: tuple[str, ...] = ()
    """SLURM: further options of every job, such as ``--account=lab``."""
