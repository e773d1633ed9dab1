"""Stand-ins for sbatch and srun: jobs are processes, elements of an array come in random order.

``sbatch`` waits for nothing that a dependency does not ask for: it does the job at once and keeps
what became of it, so that dependencies can be judged. ``srun`` kills one element's first attempt.
"""

import stat
import sys
from pathlib import Path

SBATCH = """#!{python}
import os, random, re, subprocess, sys
from pathlib import Path

state = Path("{state}")
words, script = sys.argv[1:-1], Path(sys.argv[-1]).resolve()
given = dict(word.removeprefix("--").split("=", 1) for word in words if "=" in word)
lines = [line.split(" ", 1)[1].strip() for line in script.read_text().splitlines()
         if line.startswith("#SBATCH ")]
options = dict(line.strip('"').removeprefix("--").partition("=")[::2] for line in lines)
number = 100 + len(list(state.glob("job-*")))
for asked in given.get("dependency", "").split(","):
    kind, _, other = asked.partition(":")
    if kind:
        code = int((state / f"job-{{other}}").read_text())  # it has ended
        if kind == "afterok" and code:
            sys.exit("dependency never satisfied")
first, last = map(int, options.get("array", "0-0").split("-"))
elements = list(range(first, last + 1))
random.shuffle(elements)
codes = []
for element in elements:
    own = {{"SLURM_ARRAY_TASK_ID": str(element)}} if "array" in options else {{}}
    place = options["output"].replace("%A", str(number)).replace("%j", str(number))
    with open(place.replace("%a", str(element)), "a") as log:
        codes.append(subprocess.run(["bash", script], env={{**os.environ, **own}}, stdout=log,
                                    stderr=log, cwd="/").returncode)
(state / f"job-{{number}}").write_text(str(max(codes)))
print(f"{{number}};cluster")
"""
SRUN = """#!/usr/bin/env bash
shift  # --cpus-per-task
mark={state}/killed
if [[ "${{SLURM_ARRAY_TASK_ID:-}}" == 1 && $(cat "$mark" 2>/dev/null | wc -l) -lt {kills} ]]; then
  echo once more >> "$mark"
  "$@" &
  child=$!
  until compgen -G '{root}/runs/*/*/stacks/0001/checkpoints/step-*' > /dev/null; do sleep 0.05; done
  kill -9 $child
  wait $child
  exit $?
fi
exec "$@"
"""


def stand_ins(folder: Path, root: Path, kills: int) -> Path:
    """Write both programs; return the folder for PATH.

    Args:
        folder: for them and their state.
        root: of the project.
        kills: how often element 1 is killed once it has a checkpoint.
    """
    for name, text in (("sbatch", SBATCH), ("srun", SRUN)):
        folder.mkdir(exist_ok=True)
        program = folder / name
        program.write_text(text.format(python=sys.executable, state=folder, root=root, kills=kills))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder
