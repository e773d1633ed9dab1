"""The worker process: limits, deaths, forks, threads, ends, and one verdict everywhere."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from versus.core.errors import VersusError
from versus.grading.symbolic import compare, timeouts
from versus.grading.symbolic.client import CLIENT, Client, OverrunError
from versus.grading.symbolic.comparing import _compared

ENDLESS = r"\sum_{n=1}^{10000000} \sin n"
REQUEST = {"one": "x+1", "other": "1+x", "parsers": ["sympy"]}
needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")

# Python 3.12 warns of forks beside threads, which is what is tested.
FORKING = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def client() -> Iterator[Client]:
    own = Client()
    yield own
    own.close()


def _until(happens: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not happens() and time.monotonic() < deadline:
        time.sleep(0.02)
    return happens()


def _alive(pid: int) -> bool:
    """Running, and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_an_overrun_is_killed_counted_and_forgotten() -> None:
    before, started = timeouts(), time.monotonic()
    found = compare(ENDLESS, "1")
    assert (found.outcome, found.reason) == ("timeout", "took longer than 2 s")
    assert time.monotonic() - started < 4
    assert timeouts() == before + 1
    assert compare(ENDLESS, "1") == found
    assert timeouts() == before + 1, "a remembered verdict is not counted again"


def test_the_answer_after_an_overrun_is_right_and_quick(client: Client) -> None:
    with pytest.raises(OverrunError):
        client.ask({"one": ENDLESS, "other": "1", "parsers": ["latex2sympy2"]})
    started = time.monotonic()
    assert client.ask(REQUEST)["outcome"] == "equal"
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_worker_that_dies_over_an_answer(client: Client, number: signal.Signals) -> None:
    client.ask(REQUEST)
    timer = threading.Timer(0.3, os.kill, (client.pid, number))
    timer.start()
    with pytest.raises(OverrunError, match="the worker process died"):
        client.ask({"one": ENDLESS, "other": "1", "parsers": ["latex2sympy2"]})
    timer.join()
    assert client.ask(REQUEST)["outcome"] == "equal"


@needs_proc
def test_a_worker_or_its_zygote_that_was_killed_meanwhile(client: Client) -> None:
    client.ask(REQUEST)
    worker, zygote = client.pid, _parent(client.pid)
    for victim in (worker, zygote):
        os.kill(victim, signal.SIGKILL)
        assert _until(lambda pid=victim: not _alive(pid))  # type: ignore[misc]
        assert client.ask(REQUEST)["outcome"] == "equal"
    assert client.pid != worker


@needs_proc
def test_the_worker_is_limited(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    client.ask(REQUEST)
    lines = Path(f"/proc/{client.pid}/limits").read_text().splitlines()
    limits = {line[:25].strip(): line[26:].split()[0] for line in lines}
    assert limits["Max address space"] == str(1 << 30)
    assert limits["Max file size"] == "0"
    assert limits["Max processes"] == "0"
    assert limits["Max open files"] == "16"
    assert limits["Max core file size"] == "0"
    assert int(limits["Max cpu time"]) <= 60
    folder = Path(f"/proc/{client.pid}")
    assert os.readlink(folder / "cwd").endswith("(deleted)")
    assert {os.readlink(folder / "fd" / name) for name in "12"} == {os.devnull}
    assert os.getsid(client.pid) != os.getsid(0)
    assert b"hunter2" not in (folder / "environ").read_bytes()


def test_memory_that_runs_out_is_a_verdict(client: Client) -> None:
    request = {"one": r"\prod_{n=1}^{3000000} n", "other": "1", "parsers": ["latex2sympy2"]}
    with contextlib.suppress(OverrunError):  # by memory or by time, whichever comes first
        assert client.ask(request)["outcome"] != "equal"
    assert client.ask(REQUEST)["outcome"] == "equal"


def test_threads_get_the_same_verdicts() -> None:
    pairs = [(f"{k}x+{k}", f"{k}(x+1)") for k in range(2, 60)]
    pairs += [(one, f"{other}+1") for one, other in pairs]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda pair: compare(*pair).outcome, pairs))
    assert found == ["equal"] * 58 + ["different"] * 58


@FORKING
def test_a_fork_has_a_worker_of_its_own() -> None:
    """Also while a thread of the parent is in the middle of an answer."""
    compare("x+1", "1+x")
    busy = threading.Thread(target=compare, args=(ENDLESS, "2"))
    busy.start()
    time.sleep(0.2)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _compared.cache_clear()
        verdicts = [compare("x+1", "1+x").outcome, compare("x+1", "x").outcome, CLIENT.pid]
        CLIENT.close()
        os.write(writer, json.dumps(verdicts).encode())
        os._exit(0)
    os.waitpid(child, 0)
    busy.join()
    equal, different, pid = json.loads(os.read(reader, 1000))
    os.close(reader)
    os.close(writer)
    assert (equal, different) == ("equal", "different")
    assert compare("x+3", "3+x").outcome == "equal"
    assert pid != CLIENT.pid


def _verdict(pair: tuple[str, str]) -> str:
    return compare(*pair).outcome


@FORKING
def test_a_pool_of_processes() -> None:
    compare("x+1", "1+x")
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(_verdict, [("2x+1", "1+2x"), ("2x+1", "1-2x")])
    assert found == ["equal", "different"]


SCRIPT = r"""
import sys, time
from versus.grading.symbolic import compare
from versus.grading.symbolic.client import CLIENT
texts = [r"\int_0^2 x y dx", "xy+z", "2y", r"1\pm\sqrt3", "x=yz", "z=x/y", "2z=4", r"\sqrt{x^2}"]
texts += ["a+b+c+d", "(d+c)+(b+a)", r"\begin{pmatrix}1\\x\end{pmatrix}", "x!", r"\sin x", "|x|"]
found = [str(compare(a, b)) for a in texts for b in texts]
print(CLIENT.pid, abs(hash("x")), "|".join(found), flush=True)
time.sleep(float(sys.argv[1]))
"""


def _start(seed: str, seconds: float) -> "subprocess.Popen[str]":
    variables = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SCRIPT, str(seconds)]
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)


def _line(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    assert process.stdout is not None
    pid, hashed, verdicts = process.stdout.readline().split(" ", 2)
    return int(pid), hashed, verdicts


@needs_proc
def test_hash_seeds_change_nothing_and_exit_leaves_nothing() -> None:
    found = []
    for seed in ("1", "77"):
        with _start(seed, 0) as process:
            pid, hashed, verdicts = _line(process)
            assert process.wait(30) == 0
        assert not _alive(pid)
        found.append((hashed, verdicts))
    (first_hash, first), (second_hash, second) = found
    assert first_hash != second_hash
    assert first == second


@needs_proc
def test_a_killed_parent_leaves_no_orphan() -> None:
    with _start("0", 60) as process:
        worker = _line(process)[0]
        zygote = _parent(worker)
        assert _alive(worker)
        assert _parent(zygote) == process.pid
        process.kill()
    assert _until(lambda: not _alive(worker) and not _alive(zygote))


@needs_proc
def test_closing_leaves_no_process(client: Client) -> None:
    client.ask(REQUEST)
    worker, zygote = client.pid, _parent(client.pid)
    client.close()
    assert not _alive(worker)
    assert not Path(f"/proc/{zygote}").exists(), "the zygote is waited for"
    assert client.ask(REQUEST)["outcome"] == "equal", "a closed client starts again"


def test_a_worker_that_cannot_start(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(VersusError, match=r"python -m versus\.grading\.symbolic"):
        client.ask(REQUEST)


def test_an_interrupted_answer_leaves_no_reply_behind(client: Client) -> None:
    class StopError(Exception):
        pass

    def stop(number: int, frame: object) -> None:
        raise StopError

    client.ask(REQUEST)
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(StopError):
            client.ask({"one": ENDLESS, "other": "1", "parsers": ["latex2sympy2"]})
    finally:
        signal.signal(signal.SIGALRM, before)
    assert client.ask(REQUEST)["outcome"] == "equal"
