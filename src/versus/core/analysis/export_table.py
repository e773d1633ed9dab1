"""A table of variants and metrics, mean ± standard deviation over seeds, as LaTeX or Markdown."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from versus.core.analysis import tables
from versus.core.analysis.request import METRICS, STAT, Request, one_of
from versus.core.arguments import Option, positive
from versus.core.paths import shown, write_text

OPTIONS = (
    METRICS,
    STAT,
    Option("table-format", "markdown (default) or latex", one_of("markdown", "latex"),
           default="markdown"),
    Option("precision", "significant digits of the means (default: 4)", positive, default=4),
    Option("bold-best", "the best mean of every metric in bold, or the best ones", switch=True),
    Option("best", "max, min or auto (default: by the metric's name)", one_of("auto", "max", "min"),
           default="auto"),
)  # fmt: skip
LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)


def run(request: Request) -> None:
    """Print the table and write it."""
    options = request.options
    metrics = request.metrics(finals=True)
    table = request.table(metrics, smooth=False)
    means = tables.mean_and_spread(tables.per_seed(table, options.stat))
    best = _best(request, means, metrics) if options.bold_best else {}
    rows = cells(means, request.variants(table), metrics, options.precision)
    latex = options.table_format == "latex"
    text = as_latex(rows, metrics, best) if latex else as_markdown(rows, metrics, best)
    request.display.line(text.rstrip("\n"))
    path = request.path(options.stat, metrics, "tex" if latex else "md")
    write_text(path, text)
    request.display.line(f"table: {shown(path)}")


def _best(request: Request, means: pd.DataFrame, metrics: Sequence[str]) -> dict[str, set[str]]:
    way = request.options.best
    best = tables.best_variants(means, metrics, None if way == "auto" else way)
    unclear = [metric for metric in metrics if metric not in best]
    if unclear:
        request.display.note(
            f"--bold-best: not known whether more is better for {', '.join(unclear)}; say --best"
        )
    return best


Cells = Mapping[str, Mapping[str, tuple[str, str]]]


def cells(
    means: pd.DataFrame, variants: Sequence[str], metrics: Sequence[str], precision: int
) -> Cells:
    """Variant -> metric -> (mean, sd) as text; a dash for what is not there, no sd for one seed."""
    there = means.to_dict("index")
    return {
        variant: {metric: _cell(there.get((metric, variant)), precision) for metric in metrics}
        for variant in variants
    }


def _cell(entry: Mapping[Hashable, Any] | None, precision: int) -> tuple[str, str]:
    if entry is None or entry["n"] == 0:
        return "-", ""
    spread = "" if pd.isna(entry["sd"]) else f"{entry['sd']:.2g}"
    return f"{entry['mean']:#.{precision}g}".rstrip("."), spread


def as_markdown(rows: Cells, metrics: Sequence[str], best: Mapping[str, set[str]]) -> str:
    """A Markdown table, numbers aligned right."""
    lines = [
        f"| variant | {' | '.join(metrics)} |",
        f"|:---|{'---:|' * len(metrics)}",
    ]
    for variant, values in rows.items():
        texts = []
        for metric, (mean, sd) in values.items():
            text = f"{mean} ± {sd}" if sd else mean
            texts.append(f"**{text}**" if variant in best.get(metric, ()) else text)
        lines.append(f"| {variant} | {' | '.join(texts)} |")
    return "\n".join(line.replace("\n", " ") for line in lines) + "\n"


def as_latex(rows: Cells, metrics: Sequence[str], best: Mapping[str, set[str]]) -> str:
    """A LaTeX tabular with the rules of the package booktabs."""
    head = " & ".join(["variant", *(metric.translate(LATEX) for metric in metrics)])
    lines = [
        r"% needs \usepackage{booktabs}",
        rf"\begin{{tabular}}{{l{'r' * len(metrics)}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
    ]
    for variant, values in rows.items():
        texts = [variant.translate(LATEX)]
        for metric, (mean, sd) in values.items():
            bold = rf"\mathbf{{{mean}}}" if variant in best.get(metric, ()) else mean
            text = rf"${bold} \pm {sd}$" if sd else f"${bold}$"
            texts.append("--" if mean == "-" else text)
        lines.append(rf"{' & '.join(texts)} \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"
