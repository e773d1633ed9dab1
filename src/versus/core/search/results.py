"""What a study leaves behind: table of trials, best configuration, pictures."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from versus.core import drawing
from versus.core.paths import shown, write_json, write_text
from versus.core.search import pictures
from versus.core.search.space import tree_of
from versus.core.search.study import Study

Record = Mapping[str, Any]


def best_of(records: Sequence[Record], direction: str) -> Record | None:
    """The completed trial with the best score, the earliest of equals."""
    complete = [record for record in records if record["score"] is not None]
    sign = 1 if direction == "minimize" else -1
    return min(complete, key=lambda record: sign * record["score"], default=None)


def table_of(records: Sequence[Record]) -> pd.DataFrame:
    """One row per trial that counts: number, state, score, the dimensions' values, seconds."""
    rows = [
        {
            **{key: record[key] for key in ("number", "state", "score", "diverged")},
            **record["values"],
            "cpu_seconds": record["cpu_seconds"],
        }
        for record in records
        if record["state"] != "fail"
    ]
    return pd.DataFrame(rows)


def overlay_of(study: Study, best: Record) -> str:
    """The best configuration as an overlay: it against the default, on the test seeds."""
    tree: dict[str, Any] = {
        "variants": {name: None for name in study.comparison.variants}
        | {"default": {}, "best": tree_of(best["settings"])},
        "grid": dict.fromkeys(study.comparison.grid),
        "compare": {"baseline": "default"},
    }
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump({key: value for key, value in tree.items() if value}, text)
    about = (
        f"# Study {study.name}: trial {best['number']}, {best['score']:.6g} on the tuning seeds.\n"
        f"# versus train {study.comparison.experiment} --overlay THIS_FILE compares it with the "
        "default\n# on the test seeds.\n"
    )
    return about + text.getvalue()


def write_records(study: Study, records: Sequence[Record]) -> None:
    """Write ``trials.json``, from which the study is sent to MLflow."""
    write_json(study.folder / "trials.json", list(records))


def write_outputs(
    study: Study, records: Sequence[Record], importances: Mapping[str, float]
) -> Record | None:
    """Write ``trials.csv``, ``best.yaml`` and the pictures; return the best trial.

    Args:
        study: the study.
        records: its trials.
        importances: share of each dimension in the differences between trials.
    """
    table = table_of(records)
    text = table.to_csv(index=False, lineterminator="\n")
    write_text(study.folder / "trials.csv", text)
    best = best_of(records, study.comparison.compare.direction)
    if best is None:
        return None
    write_text(study.folder / "best.yaml", overlay_of(study, best))
    search = study.comparison.search
    figures = {
        "slice": pictures.slices(table, search.space, best),
        "parallel": pictures.parallel(table, search.space, study.comparison.compare.direction),
        "importance": pictures.importance(importances),
    }
    for name, figure in figures.items():
        drawing.save(figure, study.folder / "plots" / f"{name}.png")
    return best


def finished(records: Sequence[Record]) -> int:
    """How many trials count towards the wanted number."""
    return sum(record["state"] != "fail" for record in records)


def describe_last(records: Sequence[Record], direction: str) -> str:
    """The newest trial in a line, and the best so far."""
    last, best = max(records, key=lambda one: one["ended"]), best_of(records, direction)
    outcome = _outcome(last)
    so_far = f"best {best['score']:.6g}, trial {best['number']}" if best else "no score so far"
    return f"trial {last['number']}: {outcome} ({so_far}); {_listed(last['values'])}"


def _outcome(record: Record) -> str:
    if record["score"] is not None:
        return f"{record['score']:.6g}"
    return "diverged" if record["diverged"] else str(record["state"])


def _listed(values: Record) -> str:
    shown = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in values.values())
    return ", ".join(f"{name} {value}" for name, value in zip(values, shown, strict=True))


def summary(study: Study, records: Sequence[Record], best: Record | None) -> str:
    """What a person wants to know of a finished study."""
    counts = {state: 0 for state in ("complete", "pruned", "fail")}
    for record in records:
        counts[record["state"]] += 1
    diverged = sum(record["diverged"] for record in records)
    retried = sum(record["retry_of"] is not None for record in records)
    head = (
        f"study {study.name}: {counts['complete']} trials completed, {counts['pruned']} pruned "
        f"({diverged} of them diverged), {retried} tried again"
    )
    if best is None:
        return (
            f"{head}\nno trial completed: every one diverged; offer smaller steps in search.space"
        )
    default = next((one for one in records if one["default"] and one["state"] != "fail"), None)
    against = "" if default is None else f"; the default: {_outcome(default)}"
    overlay = shown(study.folder / "best.yaml")
    return "\n".join(
        [
            head,
            f"best: trial {best['number']}, {best['score']:.6g} on the tuning seeds{against}",
            f"  {_listed(best['settings'])}",
            f"next: versus train {study.comparison.experiment} --overlay {overlay}",
        ]
    )
