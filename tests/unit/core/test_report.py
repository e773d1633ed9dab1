"""The report: what stands in results folders, on one page."""

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from versus import cli
from versus.core import comparison
from versus.core.claims import judging
from versus.core.claims import page as claims_page
from versus.core.claims.config import Claim
from versus.core.comparison import CompareSettings
from versus.core.errors import DataError
from versus.core.paths import read_json, write_json
from versus.core.report import page
from versus.core.report.chapters import read
from versus.core.tables import write_table
from versus.core.verdict import write

HOSTILE = '<img src=x onerror="alert(1)"> [go](javascript:alert(1)) </style>'
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def results(folder: Path, *, findings: tuple[str, ...] = ()) -> Path:
    """A finished comparison of memory: Zeta is the baseline, Alpha is better."""
    rows = [
        {"variant": name, "seed": seed, "test/mse": start + seed / 10, "seconds": 2.0 * start}
        for name, start in (("Zeta", 2.0), ("Alpha", 1.0))
        for seed in range(8)
    ]
    table = pd.DataFrame(rows)
    noise = np.linspace(0, 0.01, len(table))
    metrics, cost = table.drop(columns="seconds"), table.drop(columns="test/mse")
    metrics["test/mse"] += noise
    settings = CompareSettings(("test/mse",), "minimize", {"Zeta": "Zeta", "Alpha": "Zeta"})
    verdict = comparison.compare(
        metrics,
        cost,
        settings,
        experiment="memory",
        profile="smoke",
        data_digest="d" * 32,
        findings=findings,
    )
    folder.mkdir(parents=True)
    write(verdict, folder)
    write_table(metrics, folder / "metrics.csv")
    write_table(cost, folder / "cost.csv")
    write_json(folder / "evaluation.json", {"models": {"Alpha": measured()}})
    run = {"parent": "abc", "address": "http://127.0.0.1:5000/#/x", "children": {"a": "b"}}
    models = {"Alpha": {"name": "memory-alpha", "version": "3"}}
    write_json(folder / "run.json", {**run, "models": models})
    (folder / "plots").mkdir()
    (folder / "plots" / "error_by_seed.png").write_bytes(PIXEL)
    return folder


def measured() -> dict[str, Any]:
    return {"model": "memory-alpha", "items": 40, "metrics": {"mse": 1.25}, "reproduced": 8}


def claims(folder: Path) -> Path:
    measure = {"metric": "test/mse", "variant": "Alpha"}
    tree = {"states": "Alpha errs little.", "source": "paper", "experiment": "memory"}
    claim = Claim.model_validate({**tree, "measure": measure, "most": 2})
    finding = judging.Finding(judging.SUPPORTED, 1.5, (1.25, 1.75), 8, "abc", "http://x/#/abc")
    claims_page.write({"small": claim}, {"small": finding}, folder)
    return folder / "claims.json"


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.partition("<body>")[2]))


def test_the_page_tells_verdict_cost_claims_and_lineage(tmp_path: Path) -> None:
    folder = results(tmp_path / "smoke" / "memory", findings=("Alpha looks back.",))
    html, markdown = page.write([folder], tmp_path / "report.html", claims(tmp_path))
    told = text_of(html.read_text())
    for part in (
        "memory: Which rule of updating a memory predicts best",
        "Alpha looks back.",
        "Alpha beats Zeta on test/mse",
        "Training took 48.0 s in all.",
        "8 metrics reproduced exactly.",
        "Alpha errs little.",
        "1.5 (1.25 to 1.75) supported",
        "d" * 32,
        "memory-alpha 3 (Alpha)",
    ):
        assert part in told, part
        if "Which" not in part:
            plain = text_of("<body>" + MarkdownIt().enable("table").render(markdown.read_text()))
            assert part in plain, part


def test_variants_come_in_the_order_of_the_table(tmp_path: Path) -> None:
    brief = read(results(tmp_path / "memory")).brief
    assert brief.index("Zeta") < brief.index("Alpha")


def test_the_page_needs_nothing_beside_it(tmp_path: Path) -> None:
    folder = results(tmp_path / "memory")
    html, _ = page.write([folder], tmp_path / "report.html", tmp_path / "none.json")
    text = html.read_text()
    (source,) = re.findall(r'<img src="([^"]+)"', text)
    assert base64.b64decode(source.partition(",")[2]) == PIXEL
    assert not re.search(r"<(script|link|iframe|object)", text)
    assert 'alt="error by seed of memory' in text


def test_text_of_results_is_never_markup(tmp_path: Path) -> None:
    folder = results(tmp_path / "memory", findings=(HOSTILE,))
    verdict = read_json(folder / "verdict.json")
    verdict["comparisons"][0]["sentence"] = HOSTILE
    write_json(folder / "verdict.json", verdict)
    html, _ = page.write([folder], tmp_path / "report.html", tmp_path / "none.json")
    text = html.read_text()
    assert "<img src=x" not in text
    assert 'href="javascript' not in text
    assert text.count("</style>") == 1
    assert text_of(text).count("&lt;img src=x onerror=") == 2


def test_without_a_verdict_there_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    with pytest.raises(DataError, match="no verdict; run `dvc repro` or `make demo` first"):
        page.write([tmp_path / "memory"], tmp_path / "report.html", tmp_path / "none.json")
    assert not (tmp_path / "report.html").exists()


def test_the_command_writes_both_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path))
    results(tmp_path / "results" / "smoke" / "memory")
    assert cli.main(["report", "--profile", "smoke"]) == 0
    assert capsys.readouterr().out.split() == [
        "results/report-smoke.html",
        "results/report-smoke.md",
    ]
    assert cli.main(["report", "--profile", "other"]) == 2
