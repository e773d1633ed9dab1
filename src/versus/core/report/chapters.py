"""One experiment's results as Markdown, in parts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from versus.core.experiment import question
from versus.core.paths import read_json
from versus.core.tables import read_table
from versus.core.verdict import aligned, in_brief, in_full, number

SECONDS = "seconds"


class Chapter(NamedTuple):
    """What one comparison found.

    Attributes:
        name: of the experiment.
        profile: that it was run with.
        question: that it asks.
        brief: Markdown: means, marked where a difference is significant.
        findings: sentences.
        caveats: sentences that limit them.
        full: Markdown: tables with intervals, and every comparison in words.
        cost: Markdown: seconds by variant.
        measured: Markdown: registered models measured again; empty without an evaluation.
        lineage: name -> Markdown: data, runs and models.
        pictures: files.
    """

    name: str
    profile: str
    question: str
    brief: str
    findings: list[str]
    caveats: list[str]
    full: str
    cost: str
    measured: str
    lineage: dict[str, str]
    pictures: list[Path]


def read(folder: Path) -> Chapter:
    """What a results folder with a verdict tells.

    Raises:
        DataError: if a table is torn.
    """
    verdict = read_json(folder / "verdict.json")
    variants = read_table(folder / "metrics.csv")["variant"].unique()
    # JSON has them by name; the table has them in the order of the params file.
    ordered = {name: verdict["variants"][name] for name in variants if name in verdict["variants"]}
    verdict = {**verdict, "variants": ordered}
    return Chapter(
        name=verdict["experiment"],
        profile=verdict["profile"],
        question=question(verdict["experiment"]),
        brief=in_brief(verdict),
        findings=verdict["findings"],
        caveats=verdict["caveats"],
        full=in_full(verdict).replace("## ", "### "),
        cost=_cost(read_table(folder / "cost.csv")),
        measured=_measured(folder / "evaluation.json"),
        lineage=_lineage(verdict, folder / "run.json"),
        pictures=sorted((folder / "plots").glob("*.png")),
    )


def _cost(cost: pd.DataFrame) -> str:
    seconds = cost.groupby("variant", sort=False)[SECONDS].agg(["count", "mean", "sum"])
    rows = [
        [str(variant), f"{count:.0f}", *(number(value, value) for value in (mean, total))]
        for variant, count, mean, total in seconds.itertuples()
    ]
    total = float(seconds["sum"].sum())
    told = f"Training took {number(total, total)} s in all."
    return f"{told}\n\n{aligned([['variant', 'runs', 'seconds per run', 'all'], *rows])}"


def _measured(path: Path) -> str:
    """Mean metrics of the models of a results folder, as their suite measured them."""
    models: Mapping[str, Any] = read_json(path)["models"] if path.is_file() else {}
    if not models:
        return ""
    metrics = list(dict.fromkeys(name for one in models.values() for name in one["metrics"]))
    rows = [
        [name, str(one["items"]), *(_cell(one["metrics"].get(metric)) for metric in metrics)]
        for name, one in models.items()
    ]
    told = f"{sum(one['reproduced'] or 0 for one in models.values())} metrics reproduced exactly."
    return f"{told}\n\n{aligned([['model', 'items', *metrics], *rows])}"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _lineage(verdict: Mapping[str, Any], path: Path) -> dict[str, str]:
    told = {"data": f"`{verdict['data_digest']}`", "seeds": _seeds(verdict["seeds"])}
    run = read_json(path) if path.is_file() else {}
    if run.get("parent"):
        link = f"[{run['parent']}]({run['address']})" if run.get("address") else run["parent"]
        told["MLflow run"] = f"{link} with {len(run['children'])} runs in it"
    if models := run.get("models"):
        versions = (f"`{one['name']}` {one['version']} ({name})" for name, one in models.items())
        told["model versions"] = ", ".join(versions)
    return told


def _seeds(seeds: Sequence[int]) -> str:
    whole = list(range(seeds[0], seeds[-1] + 1))
    if len(seeds) > 2 and list(seeds) == whole:
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))
