"""A verdict in words: sentences, caveats, the Markdown page, and writing it.

The dictionary itself is described and computed in :mod:`versus.core.comparison`.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from versus.core import paths
from versus.core.paired import Values

MANY = 24
OUTCOMES = ("better", "worse", "undecided")

if TYPE_CHECKING:
    from versus.core.comparison import CompareSettings


def sentence(entry: Mapping[str, Any], x: Values, y: Values, settings: "CompareSettings") -> str:
    """One comparison in words.

    Args:
        entry: the comparison, without its sentence.
        x: the variant's values by seed; not finite where the run diverged.
        y: the baseline's, in the same order.
        settings: confidence, and whether the comparison is primary.
    """
    lead = "{variant} against {baseline} on {metric}".format(**entry)
    if entry["outcome"] is not None:
        verb = {"better": "{} beats {}", "worse": "{} loses to {}"}.get(
            entry["outcome"], "no significant difference between {} and {}"
        )
        lead = f"{verb.format(entry['variant'], entry['baseline'])} on {entry['metric']}"
    parts = [f"{lead}: {_measured(entry, x, y, settings)}", _counted(len(x), entry["items"])]
    diverged = [int((~np.isfinite(values)).sum()) for values in (x, y)]
    if any(diverged):
        parts.append(f"diverged {diverged[0]} against {diverged[1]} times")
    parts.append(_p_text(entry["p_adjusted"]) if entry["primary"] else "descriptive, not tested")
    if entry["primary"] and entry["cost_ratio"] is not None:
        parts.append(f"at {entry['cost_ratio']:.2g} times the cost")
    text = ", ".join(parts) + "."
    ranked = entry["primary"] and entry["items"] is None
    if ranked and len(x) < (fewest := _fewest_seeds(1, settings.alpha)):
        text += f" No two-sided p below {settings.alpha:g} is possible under {fewest} seeds."
    return text


def _counted(seeds: int, items: int | None) -> str:
    return f"{seeds} seeds" + (f" on {items} items" if items else "")


def _measured(entry: Mapping[str, Any], x: Values, y: Values, settings: "CompareSettings") -> str:
    if entry["difference"] is None:
        return "no seed on which both stayed finite"
    finite = np.isfinite(x) & np.isfinite(y)
    means = float(x[finite].mean()), float(y[finite].mean())
    scale = max(map(abs, entry["ci"] or means))
    first, second, difference = (number(v, scale) for v in (*means, entry["difference"]))
    text = f"{first} against {second}, difference {difference}"
    if (budget := settings.censored_at.get(entry["metric"])) is not None:
        text = f"means within the budget of {budget:g}: {text}"
    if entry["ci"] is None:
        return text
    low, high = (number(bound, scale) for bound in entry["ci"])
    return f"{text} ({100 * settings.confidence:g} % CI {low} to {high})"


def number(value: float | None, scale: float) -> str:
    """``value`` with the decimals that show three digits of ``scale``; a dash for None.

    A value that these decimals would make zero is written with an exponent.
    """
    if value is None:
        return "-"
    decimals = 2 - math.floor(math.log10(scale)) if scale > 0 else 2
    fixed = f"{value:.{max(decimals, 0)}f}"
    hidden = value != 0 and float(fixed) == 0
    return fixed if decimals <= 8 and scale < 1e6 and not hidden else f"{value:.3g}"


def _p_text(p_value: float) -> str:
    return "Holm p < 0.0001" if p_value < 1e-4 else f"Holm p = {p_value:.2g}"


def _fewest_seeds(tests: int, alpha: float) -> int:
    """Fewest seeds S for which ``tests`` times the smallest possible p, 2/2^S, is below alpha."""
    return math.floor(math.log2(2 * tests / alpha)) + 1


def caveats(
    seeds: Sequence[int],
    summaries: Mapping[str, Mapping[str, Mapping[str, Any]]],
    comparisons: Sequence[Mapping[str, Any]],
    settings: "CompareSettings",
) -> list[str]:
    """What limits the conclusions.

    Args:
        seeds: that every variant was run with.
        summaries: variant -> metric -> summary.
        comparisons: entries of the verdict.
        settings: of the comparison.
    """
    n_seeds, tests = len(seeds), len(settings.pairs) * len(settings.metrics)
    if n_seeds < 2 or not tests:
        return [f"no comparison: {'one seed' if n_seeds < 2 else 'no variant has a baseline'}"]
    found = []
    if n_seeds < settings.minimum_seeds:
        found.append(f"{n_seeds} seeds are fewer than the {settings.minimum_seeds} asked for")
    if any(entry["primary"] and entry["items"] is None for entry in comparisons):
        found += _ranks_alone(n_seeds, tests, settings.alpha)
    for variant, by_metric in summaries.items():
        for metric, summary in by_metric.items():
            if summary["diverged"]:
                found.append(
                    f"{variant} diverged on {metric} for {summary['diverged']} of {n_seeds} seeds; "
                    "means and intervals hold for the others only, the test ranks diverged last"
                )
    return found


def _ranks_alone(n_seeds: int, tests: int, alpha: float) -> list[str]:
    """What a test by ranks cannot find with so few seeds."""
    if n_seeds < (fewest := _fewest_seeds(1, alpha)):
        return [f"no two-sided p below {alpha:g} is possible under {fewest} seeds"]
    if n_seeds < (fewest := _fewest_seeds(tests, alpha)):
        return [
            f"Holm over {tests} comparisons: no adjusted p below {alpha:g} is possible under "
            f"{fewest} seeds"
        ]
    return []


def _metrics(verdict: Mapping[str, Any]) -> list[str]:
    metric = verdict["metric"]
    return list(metric) if isinstance(metric, list) else [metric]


def _summaries(verdict: Mapping[str, Any], metric: str) -> dict[str, Mapping[str, Any]]:
    """Variant -> summary of one primary metric."""
    several = isinstance(verdict["metric"], list)
    return {v: s[metric] if several else s for v, s in verdict["variants"].items()}


def overview(verdict: Mapping[str, Any]) -> str:
    """:func:`glance`, or with many metrics how often each variant is better or worse."""
    metrics = _metrics(verdict)
    if len(metrics) <= MANY:
        return glance(verdict)
    found = Counter((e["variant"], e["outcome"]) for e in verdict["comparisons"] if e["primary"])
    baseline_of = {e["variant"]: e["baseline"] for e in verdict["comparisons"]}
    rows = [[f"of {len(metrics)} metrics", "baseline", *OUTCOMES]]
    for variant, baseline in baseline_of.items():
        rows.append([variant, baseline, *(str(found[variant, outcome]) for outcome in OUTCOMES)])
    return f"{aligned(rows)}\nthe table of all {len(metrics)} metrics is in verdict.md"


def glance(verdict: Mapping[str, Any]) -> str:
    """Means in one table, marked where the difference to the baseline is significant."""
    outcomes = {(e["metric"], e["variant"]): e["outcome"] for e in verdict["comparisons"]}
    columns = [["", *verdict["variants"]]]
    for metric in _metrics(verdict):
        summaries = _summaries(verdict, metric)
        cells = [_cell(s, outcomes.get((metric, v), "")) for v, s in summaries.items()]
        columns.append([metric, *cells])
    many_metrics = len(columns) > len(columns[0])
    rows = columns if many_metrics else [list(row) for row in zip(*columns, strict=True)]
    return aligned(rows)


def _cell(summary: Mapping[str, Any], outcome: str) -> str:
    parts = [f"{_centre(summary)}" if "budget" in summary else _short(summary["value"])]
    if outcome in ("better", "worse"):
        parts.append(outcome)
    if summary["diverged"]:
        parts.append(f"({summary['diverged']} diverged)")
    return " ".join(parts).strip()


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _centre(summary: Mapping[str, Any]) -> str:
    """A median that may lie beyond the budget, and how many runs were without the event."""
    text, censored = _time(summary["value"], summary["budget"]), summary["censored"]
    return f"{text} ({censored} of {summary['n']} not)" if censored else text


def _time(value: float | None, budget: float) -> str:
    return f"> {budget:g}" if value is None else f"{value:g}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that is also readable as text."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*escaped, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
        for row in escaped
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def to_markdown(verdict: Mapping[str, Any]) -> str:
    """An overview, a table per primary metric, the sentences and the caveats."""
    lines = [f"# Verdict: {verdict['experiment']} ({verdict['profile']})", ""]
    lines += [f"Seeds: {len(verdict['seeds'])}. Data: `{verdict['data_digest']}`.", ""]
    lines += [in_brief(verdict), *_listed("Findings", verdict["findings"])]
    lines += [in_full(verdict), *_listed("Caveats", verdict["caveats"])]
    return "\n".join(lines)


def in_brief(verdict: Mapping[str, Any]) -> str:
    """Means in one table, and how to read it."""
    better = "lower" if verdict["direction"] == "minimize" else "higher"
    times = any("budget" in s for m in _metrics(verdict) for s in _summaries(verdict, m).values())
    shown = "Means, and medians of times until an event" if times else "Means"
    legend = f"{shown}; {better} is better; marked where significant after Holm:"
    return "\n".join([legend, "", glance(verdict), ""])


def in_full(verdict: Mapping[str, Any]) -> str:
    """A table per primary metric, and every comparison as a sentence."""
    lines = []
    for metric in _metrics(verdict):
        lines += [f"## {metric}", "", *_rows(verdict, metric, _summaries(verdict, metric)), ""]
    sentences = [entry["sentence"] for entry in verdict["comparisons"]]
    return "\n".join([*lines, *_listed("Comparisons", sentences)])


def _listed(title: str, sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return []
    return [f"## {title}", "", *(f"- {sentence}" for sentence in sentences), ""]


def _rows(
    verdict: Mapping[str, Any], metric: str, summaries: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    found = {e["variant"]: e for e in verdict["comparisons"] if e["metric"] == metric}
    scale = max((abs(s["value"]) for s in summaries.values() if s["value"] is not None), default=1)
    times = any("budget" in summary for summary in summaries.values())
    centre = ["median"] if times else ["mean"]
    header = ["variant", *centre, "n", "diverged"]
    header += ["difference", "Holm p", "d_z", "win rate", "cost"]
    cells = [header, ["---"] * len(header)]
    for variant, summary in summaries.items():
        mean = _median(summary) if times else _with_interval(summary["value"], summary["ci"], scale)
        counts = [str(summary["n"]), str(summary["diverged"])]
        name = variant.replace("|", "\\|")
        cells.append([name, mean, *counts, *_comparison_cells(found.get(variant))])
    return [f"| {' | '.join(row)} |" for row in cells]


def _median(summary: Mapping[str, Any]) -> str:
    """``58 (2 of 8 not), 50 to > 300``."""
    if summary["ci"] is None:
        return _centre(summary)
    low, high = (_time(bound, summary["budget"]) for bound in summary["ci"])
    return f"{_centre(summary)}, {low} to {high}"


def _comparison_cells(entry: Mapping[str, Any] | None) -> list[str]:
    if entry is None:
        return [""] * 5
    scale = max(map(abs, entry["ci"] or [entry["difference"] or 1.0]))
    return [
        _with_interval(entry["difference"], entry["ci"], scale),
        f"{entry['p_adjusted']:.2g}",
        number(entry["effect_size"], 1),
        number(entry["win_rate"], 1),
        number(entry["cost_ratio"], 1),
    ]


def _with_interval(value: float | None, interval: Sequence[float] | None, scale: float) -> str:
    if interval is None:
        return number(value, scale)
    low, high = (number(bound, scale) for bound in interval)
    return f"{number(value, scale)} ({low} to {high})"


def write(verdict: Mapping[str, Any], folder: Path) -> None:
    """Write ``verdict.json`` and ``verdict.md`` into ``folder``, each whole or not at all.

    Raises:
        DataError: if the folder cannot be written.
    """
    paths.write_json(folder / "verdict.json", verdict)
    paths.write_text(folder / "verdict.md", to_markdown(verdict))
