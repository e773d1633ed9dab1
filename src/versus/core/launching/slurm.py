"""Job arrays of SLURM: scripts that train every stack or work on a study, and their submission.

A comparison is three jobs: one prepares (data, tuning), an array has an element per stack, and one
collects: it trains what an element could not finish, writes tables and verdict, and tells MLflow.
Elements whose process is killed start again; jobs whose machine dies are requeued by SLURM.
"""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from versus.core.errors import ConfigError, ProcessError
from versus.core.launching.config import Launcher
from versus.core.launching.elsewhere import shared_environment
from versus.core.paths import shown, write_text
from versus.core.runs import BaseComparison

MIB = 1024  # in a GiB
SUBMIT = "submit.sh"
SECRET = ("MLFLOW_", "HF_")
"""Variables that may hold a password: sbatch passes them on, and no file holds them."""


@dataclass(frozen=True)
class Script:
    """One job.

    Attributes:
        name: of file and job.
        words: of the command line, without ``versus``; ``$SLURM_ARRAY_TASK_ID`` is replaced.
        elements: number of elements of the array; 0 = a single job.
    """

    name: str
    words: tuple[str, ...]
    elements: int = 0


def submit_comparison(comparison: BaseComparison, folder: Path, stacks: int) -> str:
    """Write the scripts of a comparison into its job's folder and submit them; what happened.

    Raises:
        ConfigError: if the launcher asks for what SLURM cannot give.
        ProcessError: if sbatch refuses.
    """
    job = ("job", str(folder))
    scripts = [
        Script("prepare", (*job, "prepare")),
        Script("train", (*job, "$SLURM_ARRAY_TASK_ID"), stacks),
        Script("collect", (*job, "collect")),
    ]
    lines = [
        "prepare=$(sbatch --parsable prepare.sh)",
        "train=$(sbatch --parsable --dependency=afterok:${prepare%%;*} "
        "--kill-on-invalid-dep=yes train.sh)",
        "collect=$(sbatch --parsable "
        "--dependency=afterok:${prepare%%;*},afterany:${train%%;*} "
        "--kill-on-invalid-dep=yes collect.sh)",
        f'echo "submitted: prepare $prepare, train $train ({stacks} stacks), collect $collect"',
    ]
    return _submit(comparison, folder, scripts, lines)


def submit_search(
    comparison: BaseComparison, folder: Path, words: Sequence[str], workers: int
) -> str:
    """Write and submit an array of workers of a study; what happened.

    Raises:
        ConfigError: if the launcher asks for what SLURM cannot give.
        ProcessError: if sbatch refuses.
    """
    lines = [
        "search=$(sbatch --parsable search.sh)",
        f'echo "submitted: search $search ({workers} workers)"',
    ]
    return _submit(comparison, folder, [Script("search", tuple(words), workers)], lines)


def _submit(
    comparison: BaseComparison, folder: Path, scripts: Sequence[Script], lines: Sequence[str]
) -> str:
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    for script in scripts:
        write_text(folder / f"{script.name}.sh", text_of(script, comparison, folder))
    head = ["#!/usr/bin/env bash", "# Written by versus.", "set -euo pipefail"]
    own = 'cd "$(dirname "${BASH_SOURCE[0]}")"'
    write_text(folder / SUBMIT, "\n".join([*head, own, *lines]) + "\n")
    if shutil.which("sbatch") is None:
        return f"there is no sbatch here; where there is one: bash {shown(folder / SUBMIT)}"
    done = subprocess.run(
        ["bash", str(folder / SUBMIT)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ProcessError(
            f"sbatch: {done.stderr.strip() or f'exit code {done.returncode}'}; mend launcher.*, "
            "cancel with scancel what was submitted, and give the same command"
        )
    return done.stdout.strip()


def text_of(script: Script, comparison: BaseComparison, folder: Path) -> str:
    """The script of one job.

    Raises:
        ConfigError: if the launcher asks for what SLURM cannot give.
    """
    options = directives(script, comparison.launcher, comparison)
    place = "%A_%a" if script.elements else "%j"
    options += [f"--output={folder}/logs/{script.name}-{place}.log", "--open-mode=append"]
    exported = [
        f"export {name}={shlex.quote(value)}"
        for name, value in sorted(shared_environment().items())
        if not name.startswith(SECRET)
    ]
    return "\n".join(
        [
            "#!/usr/bin/env bash",
            "# Written by versus; the same command writes it again.",
            *(f"#SBATCH {_quoted(option)}" for option in options),
            "set -uo pipefail",
            *exported,
            f"cd {shlex.quote(str(Path.cwd()))} || exit 1",
            f"retries={comparison.launcher.retries}",
            "attempt=0",
            "while :; do",
            f"  {_command(script.words, _cores(comparison))}",
            "  code=$?",
            "  # From 128 on a signal has ended it: out of memory, or by hand.",
            '  if ((code < 128 || attempt >= retries)); then exit "$code"; fi',
            "  attempt=$((attempt + 1))",
            '  echo "exit code $code: attempt $attempt of $retries goes on from the checkpoint"',
            "done",
            "",
        ]
    )


def directives(script: Script, launcher: Launcher, comparison: BaseComparison) -> list[str]:
    """What SLURM reserves, as options of sbatch.

    Raises:
        ConfigError: for a share of a GPU.
    """
    if launcher.gpus % 1:
        raise ConfigError(
            f"launcher.gpus: SLURM gives whole GPUs, received {launcher.gpus:g}; give 1"
        )
    given = {
        "job-name": f"versus-{comparison.experiment}-{script.name}",
        "array": f"0-{script.elements - 1}" if script.elements else "",
        "ntasks": "1",
        "cpus-per-task": str(_cores(comparison)),
        "mem": f"{round(launcher.memory * MIB)}M" if launcher.memory else "",
        "gres": f"gpu:{launcher.gpus:g}" if launcher.gpus else "",
        "time": launcher.time,
        "partition": launcher.partition,
        "export": "ALL",
        # The time is up in so many seconds: a training saves and ends.
        "signal": "TERM@120",
    }
    options = [f"--{name}={value}" for name, value in given.items() if value]
    return [*options, "--requeue", *launcher.options]


def _cores(comparison: BaseComparison) -> int:
    return comparison.launcher.cpus or comparison.threads


def _quoted(option: str) -> str:
    return f'"{option}"' if " " in option else option


def _command(words: Sequence[str], cores: int) -> str:
    quoted = [f'"{word}"' if word.startswith("$SLURM_") else shlex.quote(word) for word in words]
    # As a step of the job, so that SLURM's signals reach it.
    # The number of cores is not handed down from sbatch.
    return (
        f"srun --cpus-per-task={cores} {shlex.quote(sys.executable)} -m versus {' '.join(quoted)}"
    )
