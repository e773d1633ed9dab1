"""A work folder and its projection in MLflow, on sqlite."""

import json
import math
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Run

from versus.core import tracked, tracking
from versus.core.errors import TrackingError
from versus.core.paths import write_json


def sync(root: Path) -> list[Path]:
    """What ``versus sync`` does."""
    folders = tracking.pending(root / "runs")
    for work in folders:
        tracking.close_if_dead(work)
        tracking.project(work, root=root, terminal=True)
    return folders


SEEDS = (0, 1, 2)
VARIANTS = ("Delta", "Omega")


@pytest.fixture
def client(root: Path) -> MlflowClient:
    return tracking.connect(tracking.tracking_uri(root))


def experiment(root: Path) -> str:
    return tracking.Store(tracking.tracking_uri(root), root).experiment("toy")


def described(children: str) -> dict[str, Any]:
    return {
        "experiment": "toy",
        "note": "**Why?**",
        "name": "toy smoke",
        "digest": "c" * 32,
        "profile": "smoke",
        "tags": {"versus.version": "0"},
        "params": {"train.lr": 0.1, "train.steps": 4},
        "variants": {"Delta": {"model.rule": "Delta"}, "Omega": {"model.rule": "Omega"}},
        "children": children,
        "seeds": list(SEEDS),
        "data": {"name": "toy-smoke", "digest": "d" * 32, "source": "runs/toy/data"},
        "results": "results",
        "primary": ["test/mse"],
    }


def set_state(work: Path, state: str) -> None:
    write_json(work / "status.json", {"state": state, "message": ""})


def make_work(root: Path, children: str = "run", state: str = "running") -> Path:
    work = root / "runs" / "toy" / "abc"
    write_json(work / "comparison.json", described(children))
    set_state(work, state)
    return work


def value(variant: str, seed: int, step: int) -> float:
    return VARIANTS.index(variant) + 10.0 * seed + step / 8


def train(work: Path, stack: str, seeds: tuple[int, ...], steps: range) -> None:
    folder = work / "stacks" / stack
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        for step in steps:
            for variant in VARIANTS:
                for seed in seeds:
                    metrics = {"train/loss": value(variant, seed, step), "train/lost": None}
                    key = {"time": 1000 + step, "step": step, "variant": variant, "seed": seed}
                    file.write(json.dumps({**key, "metrics": metrics}) + "\n")
    size = (folder / "metrics.jsonl").stat().st_size
    write_json(folder / "cursor.json", {"bytes": size})


def publish(work: Path) -> None:
    results = work / "results"
    (results / "plots").mkdir(parents=True)
    rows = [(v, s, "inf" if (v, s) == ("Omega", 2) else s + 0.5) for v in VARIANTS for s in SEEDS]
    lines = ["variant,seed,test/mse,test/nothing", *(f"{v},{s},{m}," for v, s, m in rows)]
    (results / "metrics.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (results / "cost.csv").write_text("variant,seed,seconds\nDelta,0,1.5\n", encoding="utf-8")
    (results / "verdict.md").write_text("Omega wins.\n", encoding="utf-8")
    write_json(results / "verdict.json", {"direction": "minimize"})
    (results / "plots" / "a.png").write_bytes(b"png")
    (results / "viz").mkdir()
    (results / "viz" / "run.html").write_text("<!doctype html>", encoding="utf-8")
    (results / "viz" / ".run.html.partial-1").write_text("<!doc", encoding="utf-8")
    set_state(work, "finished")


def finished_work(root: Path, children: str = "run") -> Path:
    work = make_work(root, children)
    train(work, "0000", SEEDS, range(4))
    publish(work)
    return work


def runs(client: MlflowClient) -> dict[str, Run]:
    """Name -> run; a doubled run fails."""
    found = client.search_runs([e.experiment_id for e in client.search_experiments()])
    named = {run.info.run_name: run for run in found}
    assert len(named) == len(found)
    return named


def series(client: MlflowClient, run: Run, name: str) -> list[tuple[int, int, float]]:
    history = client.get_metric_history(run.info.run_id, name)
    return sorted((m.step, m.timestamp, m.value) for m in history)


def dataset_digests(run: Run) -> list[str]:
    assert run.inputs is not None
    return [used.dataset.digest for used in run.inputs.dataset_inputs]


Everything = dict[str, dict[str, Any]]


def everything(client: MlflowClient) -> Everything:
    """All that matters of the store: equal after a kill and without one."""
    return {
        name: {
            "status": run.info.status,
            "params": dict(run.data.params),
            "points": {
                key: [(step, v) for step, _, v in series(client, run, key)]
                for key in run.data.metrics
            },
            "inputs": len(dataset_digests(run)),
        }
        for name, run in runs(client).items()
    }


def test_a_finished_comparison_is_shown_whole(root: Path, client: MlflowClient) -> None:
    links = tracking.project(finished_work(root), root=root, terminal=True)
    shown = runs(client)
    names = {f"{v} seed {s}" for v in VARIANTS for s in SEEDS}
    assert shown.keys() == names | {"toy smoke"}
    assert {run.info.status for run in shown.values()} == {"FINISHED"}
    parent, child = shown["toy smoke"], shown["Omega seed 1"]
    assert parent.data.params == {"train.lr": "0.1", "train.steps": "4"}
    assert child.data.params == {"model.rule": "Omega"}
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id == links.parent
    assert (child.data.tags["variant"], child.data.tags["seed"]) == ("Omega", "1")
    assert parent.data.tags["kind"] == "comparison"
    assert parent.data.tags["data_digest"] == "d" * 32
    assert parent.data.tags["mlflow.note.content"] == "Omega wins.\n"
    whole = client.get_experiment(parent.info.experiment_id)
    assert whole.tags["mlflow.note.content"] == "**Why?**"
    assert dataset_digests(parent) == ["d" * 32]
    expected = [(step, 1000 + step, value("Omega", 1, step)) for step in range(4)]
    assert series(client, child, "train/loss") == expected
    assert child.data.metrics["test/mse"] == 1.5
    assert shown["Delta seed 0"].data.metrics["cost/seconds"] == 1.5


def test_artifacts_lie_under_the_project(root: Path, client: MlflowClient) -> None:
    links = tracking.project(finished_work(root), root=root, terminal=True)
    files = {f.path for f in client.list_artifacts(links.parent)}
    assert files == {"verdict.md", "verdict.json", "metrics.csv", "cost.csv", "plots", "viz"}
    assert [f.path for f in client.list_artifacts(links.parent, "plots")] == ["plots/a.png"]
    assert [f.path for f in client.list_artifacts(links.parent, "viz")] == ["viz/run.html"]
    assert list((root / "mlruns" / "toy").glob("*/artifacts/verdict.md"))


def test_files_of_a_variant_wait_until_all_its_seeds_have_begun(
    root: Path, client: MlflowClient
) -> None:
    """Its seeds train in several stacks, and results of an earlier training are still there."""
    work = make_work(root, "variant")
    (work / "results").mkdir()
    (work / "results" / "verdict.md").write_text("Of before.\n", encoding="utf-8")
    first = work / "runs" / "Delta" / "seed-0" / "summary.json"
    write_json(first, {})
    train(work, "0000", (0,), range(4))
    links = tracking.project(work, root=root)
    assert not links.children
    assert [f.path for f in client.list_artifacts(links.parent)] == ["verdict.md"]
    train(work, "0001", (1, 2), range(4))
    links = tracking.project(work, root=root)
    delta = links.children["Delta"]
    found = client.list_artifacts(delta, "seed-0")
    assert [f.path for f in found] == ["seed-0/summary.json"]


def test_infinite_values_are_counted_and_absent_ones_skipped(
    root: Path, client: MlflowClient
) -> None:
    tracking.project(finished_work(root), root=root, terminal=True)
    diverged = runs(client)["Omega seed 2"].data.metrics
    assert diverged["diverged/test/mse"] == 1.0
    assert not {"test/mse", "test/nothing", "train/lost"} & diverged.keys()
    values = [v for run in runs(client).values() for v in run.data.metrics.values()]
    assert all(map(math.isfinite, values))
    assert max(values) < 1e300


def test_a_variant_shows_means_over_seeds(root: Path, client: MlflowClient) -> None:
    tracking.project(finished_work(root, "variant"), root=root, terminal=True)
    shown = runs(client)
    assert shown.keys() == {"toy smoke", "Delta", "Omega"}
    expected = [(step, 1000 + step, 11.0 + step / 8) for step in range(4)]
    assert series(client, shown["Omega"], "train/loss") == expected
    assert shown["Omega"].data.metrics["test/mse"] == 1.0
    assert shown["Omega"].data.metrics["diverged/test/mse"] == 1.0
    assert shown["toy smoke"].data.metrics["summary/test.mse.Delta"] == 1.5


def test_means_wait_for_the_slowest_seed(root: Path, client: MlflowClient) -> None:
    work = make_work(root, "variant")
    train(work, "0000", (0, 1), range(4))
    tracking.project(work, root=root)
    assert runs(client).keys() == {"toy smoke"}
    train(work, "0001", (2,), range(2))
    tracking.project(work, root=root)
    assert [p[0] for p in series(client, runs(client)["Delta"], "train/loss")] == [0]
    train(work, "0001", (2,), range(2, 4))
    publish(work)
    tracking.project(work, root=root, terminal=True)
    expected = [(step, 1000 + step, 10.0 + step / 8) for step in range(4)]
    assert series(client, runs(client)["Delta"], "train/loss") == expected


def test_only_what_a_checkpoint_covers_is_sent(root: Path, client: MlflowClient) -> None:
    work = make_work(root)
    train(work, "0000", SEEDS, range(2))
    covered = (work / "stacks" / "0000" / "cursor.json").read_text(encoding="utf-8")
    train(work, "0000", SEEDS, range(2, 4))
    (work / "stacks" / "0000" / "cursor.json").write_text(covered, encoding="utf-8")
    tracking.project(work, root=root)
    assert [p[0] for p in series(client, runs(client)["Delta seed 0"], "train/loss")] == [0, 1]
    assert runs(client)["toy smoke"].info.status == "RUNNING"


@pytest.mark.parametrize("children", ["run", "variant"])
def test_projecting_again_changes_nothing(root: Path, client: MlflowClient, children: str) -> None:
    work = finished_work(root, children)
    tracking.project(work, root=root, terminal=True)
    before = everything(client)
    tracking.project(work, root=root, terminal=True)
    write_json(work / "tracking.json", {**_noted(work), "offsets": {}, "finals": "", "upto": {}})
    tracking.project(work, root=root)
    tracking.project(work, root=root, terminal=True)
    after = everything(client)
    points = {
        name: run["points"]["train/loss"] for name, run in before.items() if name != "toy smoke"
    }
    assert {n: r["points"]["train/loss"] for n, r in after.items() if n != "toy smoke"} == points
    assert before.keys() == after.keys()


def _noted(work: Path) -> dict[str, Any]:
    noted: dict[str, Any] = json.loads((work / "tracking.json").read_text(encoding="utf-8"))
    return noted


class Killed(BaseException):
    """Stands for a kill: nothing in the code catches it."""


KILLS = {
    "create_run": (0, 1, 5),
    "log_batch": (0, 1, 5, 12, 20),
    "log_inputs": (0,),
    "log_artifact": (2,),
    "set_terminated": (0, 3),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("name", "count"), [(k, n) for k, counts in KILLS.items() for n in counts])
def test_a_kill_anywhere_leaves_no_trace(
    root: Path,
    client: MlflowClient,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    count: int,
    after: bool,
) -> None:
    work = finished_work(root)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, name, _killing(getattr(MlflowClient, name), count, after))
        with pytest.raises(Killed):
            tracking.project(work, root=root, terminal=True)
    tracking.project(work, root=root, terminal=True)
    _assert_complete(client)


def test_a_kill_at_any_note_leaves_no_trace(
    root: Path, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = finished_work(root)
    kills = 0
    for count in range(20):
        with monkeypatch.context() as patch:
            save = _killing(tracked.State.save, count, after=False)
            patch.setattr(tracked.State, "save", save)
            try:
                tracking.project(work, root=root, terminal=True)
                break
            except Killed:
                kills += 1
    assert kills > 3
    _assert_complete(client)


def _killing(call: Callable[..., Any], count: int, after: bool) -> Callable[..., Any]:
    calls = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count + 1:
            if after:
                call(*args, **kwargs)
            raise Killed
        return call(*args, **kwargs)

    return wrapped


def _assert_complete(client: MlflowClient) -> None:
    shown = everything(client)
    assert len(shown) == 1 + len(VARIANTS) * len(SEEDS)
    assert {run["status"] for run in shown.values()} == {"FINISHED"}
    assert shown["toy smoke"]["inputs"] == 1
    assert shown["toy smoke"]["params"] == {"train.lr": "0.1", "train.steps": "4"}
    assert shown["toy smoke"]["points"]["summary/test.mse.Delta"] == [(0, 1.5)]
    for variant in VARIANTS:
        for seed in SEEDS:
            run = shown[f"{variant} seed {seed}"]
            expected = [(step, value(variant, seed, step)) for step in range(4)]
            assert run["points"]["train/loss"] == expected
            assert run["params"] == {"model.rule": variant}
            lost = (variant, seed) == ("Omega", 2)
            final = "diverged/test/mse" if lost else "test/mse"
            assert run["points"][final] == [(0, 1.0 if lost else seed + 0.5)]


def test_the_run_of_mlflow_run_becomes_the_parent(root: Path, client: MlflowClient) -> None:
    toy = experiment(root)
    launcher = client.create_run(toy, run_name="launched").info.run_id
    client.log_param(launcher, "train.lr", "0.10")
    links = tracking.project(finished_work(root), root=root, parent_run=launcher, terminal=True)
    assert links.parent == launcher
    parent = client.get_run(launcher)
    assert parent.info.status == "RUNNING"  # mlflow run ends it
    assert parent.data.params == {"train.lr": "0.10", "train.steps": "4"}
    assert tracking.pending(root / "runs") == []
    assert {r.info.status for n, r in runs(client).items() if n != "launched"} == {"FINISHED"}


def test_a_launcher_in_another_experiment_is_linked(root: Path, client: MlflowClient) -> None:
    launcher = client.create_run(client.create_experiment("demo")).info.run_id
    links = tracking.project(finished_work(root), root=root, parent_run=launcher, terminal=True)
    assert links.parent != launcher
    assert client.get_run(launcher).data.tags["versus.comparison.toy"] == links.parent
    assert client.get_run(links.parent).data.tags["versus.launcher"] == launcher
    assert client.get_run(links.parent).info.status == "FINISHED"


def test_a_second_launcher_finds_the_first_ones_comparison(
    root: Path, client: MlflowClient
) -> None:
    toy = experiment(root)
    first, second = (client.create_run(toy).info.run_id for _ in range(2))
    work = make_work(root)
    tracking.project(work, root=root, parent_run=first)
    train(work, "0000", SEEDS, range(4))
    publish(work)
    links = tracking.project(work, root=root, parent_run=second, terminal=True)
    assert links.parent == first
    assert client.get_run(first).info.status == "FINISHED"
    assert client.get_run(second).data.tags["versus.comparison.toy"] == first


def test_a_stale_launcher_is_ignored(root: Path) -> None:
    work = finished_work(root)
    assert tracking.project(work, root=root, parent_run="f" * 32, terminal=True).parent


def test_a_server_that_is_gone_fails_fast_and_sync_sends_later(
    root: Path, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    work = finished_work(root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    start = time.monotonic()
    with pytest.raises(TrackingError, match=f"MLFLOW_TRACKING_URI http://127.0.0.1:{port}"):
        tracking.project(work, root=root, terminal=True)
    assert time.monotonic() - start < 20
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking.pending(root / "runs") == [work]
    assert len(sync(root)) == 1
    _assert_complete(client)
    assert sync(root) == []


def test_a_locked_store_is_tried_again(
    root: Path, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = finished_work(root)
    calls = []

    def send(*args: Any) -> tracked.Links:
        calls.append(args)
        if len(calls) < 3:
            raise TrackingError("(sqlite3.OperationalError) database is locked")
        return tracked.Links("1", "sent", {}, ("", ""), "")

    monkeypatch.setattr(tracking, "_project", send)
    monkeypatch.setattr(tracking, "PAUSES", (0.0, 0.0, 0.0))
    assert tracking.project(work, root=root).parent == "sent"


def test_an_unwritable_store_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(TrackingError, match="not writable"):
        tracking.initialise(f"sqlite:///{tmp_path}/mlflow.db")


def test_runs_of_a_dead_process_become_killed(root: Path, client: MlflowClient) -> None:
    work = make_work(root)
    train(work, "0000", SEEDS, range(2))
    with FileLock(work / "lock"):
        tracking.project(work, root=root)
        assert sync(root) == []  # alive
    assert tracking.pending(root / "runs") == [work]
    sync(root)
    assert {run.info.status for run in runs(client).values()} == {"KILLED"}
    assert tracking.pending(root / "runs") == []
    train(work, "0000", SEEDS, range(2, 4))  # the same command continues
    tracking.project(work, root=root)
    assert {run.info.status for run in runs(client).values()} == {"RUNNING"}
    publish(work)
    tracking.project(work, root=root, terminal=True)
    _assert_complete(client)


@pytest.mark.parametrize(("state", "status"), [("failed", "FAILED"), ("interrupted", "KILLED")])
def test_state_becomes_status(root: Path, client: MlflowClient, state: str, status: str) -> None:
    work = make_work(root, state=state)
    train(work, "0000", SEEDS, range(2))
    tracking.project(work, root=root, terminal=True)
    assert {run.info.status for run in runs(client).values()} == {status}
    assert tracking.pending(root / "runs") == []


def test_a_new_verdict_is_pending_and_sent_once(root: Path, client: MlflowClient) -> None:
    work = finished_work(root)
    links = tracking.project(work, root=root, terminal=True)
    (work / "results" / "verdict.md").write_text("Delta wins.\n", encoding="utf-8")
    assert tracking.pending(root / "runs") == [work]
    sync(root)
    assert client.get_run(links.parent).data.tags["mlflow.note.content"] == "Delta wins.\n"
    _assert_complete(client)


def test_results_from_dvcs_cache_are_logged_once(root: Path, client: MlflowClient) -> None:
    work = finished_work(root)
    for name in ("comparison.json", "status.json"):
        (work / name).unlink()
    for _ in range(2):
        links = tracking.project_results(work, described("variant"), root=root)
    assert runs(client).keys() == {"toy smoke", "Delta", "Omega"}
    assert client.get_run(links.parent).data.tags["source"] == "dvc-cache"


def test_a_run_that_was_deleted_is_sent_anew(root: Path, client: MlflowClient) -> None:
    work = finished_work(root)
    first = tracking.project(work, root=root, terminal=True)
    for run_id in (first.parent, *first.children.values()):
        client.delete_run(run_id)
    assert tracking.project(work, root=root, terminal=True).parent != first.parent
    _assert_complete(client)


def test_links_lead_to_the_children_sorted_by_the_objective(root: Path) -> None:
    work = finished_work(root)
    assert tracked.links(work) is None
    links = tracking.project(work, root=root, terminal=True)
    assert tracked.links(work) == links
    parent, children, hint = links.lines()
    assert f"/runs/{links.parent}?workflowType=machine_learning" in parent
    assert f"mlflow.parentRunId%60%20%3D%20%27{links.parent}" in children
    assert "orderByKey=metrics.%60test%2Fmse%60&orderByAsc=true" in children
    assert "versus ui" in hint


def test_a_deleted_experiment_is_explained(root: Path, client: MlflowClient) -> None:
    client.delete_experiment(experiment(root))
    with pytest.raises(TrackingError, match="mlflow experiments restore"):
        tracking.project(finished_work(root), root=root)
