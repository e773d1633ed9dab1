"""What a cluster is asked for, scripts, stacks that two processes want, and ends of processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from versus.core import config as configs
from versus.core import stackfolder
from versus.core.display import Display
from versus.core.errors import ConfigError, DataError, ProcessError
from versus.core.launching import child, elsewhere, jobs, lifeline, ray_cluster, slurm
from versus.core.launching.child import Piece
from versus.core.launching.config import Launcher
from versus.core.paths import write_json
from versus.core.runs import BaseComparison, RunConfig, RunKey
from versus.core.stages import Places


def asked(**launcher: Any) -> BaseComparison:
    tree = {"experiment": "ordering", "device": "cpu", "threads": 3, "launcher": launcher}
    return configs.load(BaseComparison, [("command line", tree)])


def places(root: Path) -> Places:
    work = root / "runs" / "ordering" / "abc"
    return Places(root / "data", work, work / "results", "smoke", work / "results" / "runs")


# --- settings


def test_the_launcher_is_no_property_of_results() -> None:
    assert asked(kind="ray", cpus=2, retries=9).digest() == asked().digest()


@pytest.mark.parametrize(
    ("launcher", "message"),
    [
        ({"kind": "dask"}, "launcher.kind"),
        ({"gpus": -1}, "launcher.gpus"),
        ({"retries": -1}, "launcher.retries"),
        ({"time": "tomorrow"}, "launcher.time"),
        ({"partition": "a b"}, "launcher.partition"),
        ({"node": 1}, "launcher.node"),
    ],
)
def test_wrong_settings_are_named(launcher: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        asked(**launcher)


@pytest.mark.parametrize("time", ["90", "12:00:00", "2-12", "1-12:30:00"])
def test_times_of_slurm(time: str) -> None:
    assert asked(time=time).launcher.time == time


# --- Ray


def test_resources_of_a_task() -> None:
    default = ray_cluster.resources_of(Launcher(), threads=3, device="auto")
    assert default == {"num_cpus": 3, "num_gpus": 0}
    given = Launcher(cpus=2, gpus=0.25, memory=1.5)
    found = ray_cluster.resources_of(given, threads=3, device="cuda")
    assert found == {"num_cpus": 2, "num_gpus": 0.25, "memory": 1.5 * 2**30}


def test_a_run_that_needs_a_gpu_must_reserve_one() -> None:
    with pytest.raises(ConfigError, match=r"launcher\.gpus: device 'cuda' needs one, received 0"):
        ray_cluster.resources_of(Launcher(), threads=1, device="cuda")


def test_what_no_machine_has_is_told() -> None:
    nodes = [{"CPU": 4.0, "memory": 2.0**30}, {"CPU": 1.0, "GPU": 1.0, "memory": 2.0**34}]
    assert ray_cluster.unmet({"num_cpus": 4, "num_gpus": 0}, nodes) == ""
    assert ray_cluster.unmet({"num_cpus": 1, "num_gpus": 1, "memory": 2.0**33}, nodes) == ""
    lacking = ray_cluster.unmet({"num_cpus": 2, "num_gpus": 1}, nodes)
    assert "has 2 CPU, 1 GPU (there are: 4 CPU, 0 GPU; 1 CPU, 1 GPU)" in lacking
    assert "(there are: none)" in ray_cluster.unmet({"num_cpus": 1}, [])


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'versus-lab\[ray\]'"):
        ray_cluster.run([], Launcher(kind="ray"), {}, Display(), lambda _: None)


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9"])
def test_a_cluster_that_is_not_there_is_named(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unconnected = SimpleNamespace(is_initialized=lambda: False)
    monkeypatch.setitem(sys.modules, "ray", unconnected)
    launcher = Launcher(kind="ray", address=address)
    named = f"launcher.address: no Ray cluster answers at '{address}' .*refused"
    with pytest.raises(ConfigError, match=named):
        ray_cluster.run([], launcher, {}, Display(), lambda _: None)


def test_a_stage_cannot_wait_for_slurm(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="received slurm; use local or ray"):
        elsewhere.train(Any, asked(kind="slurm"), places(tmp_path), Any, None)  # type: ignore[arg-type]


def test_failures_are_told_with_their_messages(tmp_path: Path) -> None:
    failed = {f"stack {n}": f"error {n}" for n in range(5)}
    told = elsewhere._told(failed, 8, tmp_path)
    assert told.startswith("5 of 8 failed on the cluster:\nstack 0: error 0\nstack 1: error 1\n")
    assert "stack 3" not in told
    assert "and 2 more" in told


def test_a_stack_has_a_name() -> None:
    runs = [RunConfig(RunKey("random", seed), None) for seed in (4, 5)]
    assert elsewhere.described(runs[:1], 3) == "stack 3 (random seed 4)"
    assert elsewhere.described(runs, 3) == "stack 3 (random seed 4 and 1 more)"


def test_the_environment_that_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERSUS_ROOT", "/project")
    monkeypatch.setenv("ORDERING_SOMETHING", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    found = elsewhere.shared_environment()
    assert found["VERSUS_ROOT"] == "/project"
    assert found["ORDERING_SOMETHING"] == "1"
    assert not {"CUDA_VISIBLE_DEVICES", "PATH", "HOME"} & set(found)


# --- processes


def piece(tmp_path: Path, *words: str) -> Piece:
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    return Piece("a stack", words, str(tmp_path), str(tmp_path / "log"), paths)


def test_exit_code_and_last_words_of_a_command(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("of an earlier attempt\n")
    code, told = child.run(piece(tmp_path, "dance"))
    assert code == 2
    assert told.startswith("error: versus dance: no such verb")


def test_threads_are_those_of_the_launching_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    found = child._environment({"MKL_NUM_THREADS": "2"})
    assert "OMP_NUM_THREADS" not in found
    assert (found["MKL_NUM_THREADS"], found["CUDA_VISIBLE_DEVICES"]) == ("2", "3")
    assert found[lifeline.NAME]


def test_a_killed_process_is_worth_another_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(child.Killed, match="a stack: killed by SIGKILL"):
        child.run(piece(tmp_path))


def test_a_process_ends_with_the_one_that_started_it() -> None:
    code = "import time; from versus.core.launching import lifeline; lifeline.attach(); "
    paths = {"PYTHONPATH": os.pathsep.join(sys.path), lifeline.NAME: "1"}
    with subprocess.Popen(
        [sys.executable, "-c", code + "print(1, flush=True); time.sleep(60)"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **paths},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.read(1) == b"1"
        assert process.poll() is None
        process.stdin.close()  # as when its starter is killed
        assert process.wait(20) == -signal.SIGTERM


# --- stacks


def test_two_processes_take_turns_with_a_stack(tmp_path: Path) -> None:
    told: list[str] = []
    order: list[str] = []
    entered = threading.Event()

    def second() -> None:
        with stackfolder.held(tmp_path, told.append):
            order.append("second")

    other = threading.Thread(target=second)
    with stackfolder.held(tmp_path, told.append):
        assert told == []
        (tmp_path / ".step.partial-1").touch()
        other.start()
        while not told:
            time.sleep(0.01)
        order.append("first")
        entered.set()
    other.join(20)
    assert order == ["first", "second"]
    assert "waiting for the process that trains there" in told[0]
    assert not (tmp_path / ".step.partial-1").exists()


def test_a_stack_is_finished_when_its_cursor_says_so(tmp_path: Path) -> None:
    assert not stackfolder.is_finished(tmp_path)
    for cursor, finished in (
        ({"bytes": 3}, False),
        ({"bytes": 3, "finished": False}, False),
        ({"bytes": 3, "finished": True}, True),
    ):
        write_json(tmp_path / "cursor.json", cursor)
        assert stackfolder.is_finished(tmp_path) is finished


def test_a_job_is_read_as_it_was_launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from versus.core.arguments import load

    monkeypatch.chdir(tmp_path)
    _, comparison = load("ordering", None, "smoke", ["--launcher.kind", "slurm", "--seeds", "2"])
    folder = jobs.write(comparison, places(Path("here")), tracked=True, tags={"a": "b"})
    job = jobs.read(folder)
    assert job.comparison.digest() == comparison.digest()
    assert job.comparison.launcher.kind == "local"
    assert job.places == places(tmp_path / "here")
    assert (job.tracked, job.tags) == (True, {"a": "b"})
    with pytest.raises(DataError, match=r"settled\.json"):
        _ = job.settled
    job.settle(comparison)
    assert job.settled.expand() == jobs.read(folder).comparison.expand()


# --- SLURM


def script(comparison: BaseComparison, folder: Path, elements: int = 4) -> str:
    words = ("job", "a folder", "$SLURM_ARRAY_TASK_ID")
    return slurm.text_of(slurm.Script("train", words, elements), comparison, folder)


def is_bash(text: str) -> bool:
    return subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0


def test_a_script_reserves_what_was_asked_for(tmp_path: Path) -> None:
    comparison = asked(
        **{"cpus": 2, "gpus": 1, "memory": 1.5, "time": "2:00:00", "partition": "short"},
        options=["--account=lab", "--comment=two words"],
    )
    text = script(comparison, tmp_path)
    lines = [line[8:] for line in text.splitlines() if line.startswith("#SBATCH ")]
    assert lines[:9] == [
        *("--job-name=versus-ordering-train", "--array=0-3", "--ntasks=1", "--cpus-per-task=2"),
        *("--mem=1536M", "--gres=gpu:1", "--time=2:00:00", "--partition=short", "--export=ALL"),
    ]
    assert {"--requeue", "--account=lab", '"--comment=two words"'} < set(lines)
    assert f"--output={tmp_path}/logs/train-%A_%a.log" in lines
    assert "srun --cpus-per-task=2 " in text
    assert "-m versus job 'a folder' \"$SLURM_ARRAY_TASK_ID\"\n" in text
    assert is_bash(text)
    assert not is_bash(text + "fi")


def test_what_is_not_asked_for_is_left_to_the_cluster(tmp_path: Path) -> None:
    text = script(asked(), tmp_path, elements=0)
    assert "--cpus-per-task=3" in text
    assert not any(f"--{name}=" in text for name in ("mem", "gres", "time", "partition", "array"))
    assert f"--output={tmp_path}/logs/train-%j.log" in text


def test_scripts_hold_the_environment_but_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path / "it's here"))
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "sesame")
    monkeypatch.setenv("HF_TOKEN", "sesame")
    text = script(asked(), tmp_path)
    assert "export VERSUS_ROOT=" in text
    assert "sesame" not in text
    assert is_bash(text)


def test_a_share_of_a_gpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SLURM gives whole GPUs, received"):
        script(asked(gpus=0.5), tmp_path)


def test_a_refusal_of_sbatch_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "sbatch"
    program.write_text("#!/bin/sh\necho no such partition >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ProcessError, match=r"sbatch: no such partition; mend launcher\.\*"):
        slurm.submit_comparison(asked(partition="none"), tmp_path / "job", 4)
