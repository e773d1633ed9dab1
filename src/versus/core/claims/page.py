"""All claims as a table: for the terminal, as Markdown and as JSON."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from versus.core.claims.config import Claim
from versus.core.claims.judging import OUTCOMES, Finding
from versus.core.paths import write_json, write_text
from versus.core.verdict import aligned

RULE = (
    "Supported: the 95 % interval over seeds lies within the expected range. Refuted: it lies "
    "outside. Inconclusive: it crosses a bound. Every number comes from the run that is named."
)


def write(claims: Mapping[str, Claim], findings: Mapping[str, Finding], folder: Path) -> None:
    """Write ``claims.md`` and ``claims.json``."""
    told = {
        name: {"claim": claim.model_dump(mode="json"), "finding": findings[name]._asdict()}
        for name, claim in claims.items()
    }
    write_json(folder / "claims.json", told)
    lines = ["# Claims", "", f"{counts(findings)}.", "", RULE, ""]
    for experiment in dict.fromkeys(claim.experiment for claim in claims.values()):
        lines += [f"## {experiment}", "", as_table(told, experiment), ""]
    write_text(folder / "claims.md", "\n".join(lines))


def counts(findings: Mapping[str, Finding]) -> str:
    """How many claims have which outcome."""
    found = Counter(finding.outcome for finding in findings.values())
    return ", ".join(f"{found[outcome]} {outcome}" for outcome in OUTCOMES if found[outcome])


def overview(claims: Mapping[str, Claim], findings: Mapping[str, Finding]) -> str:
    """A line per claim."""
    rows = [["claim", "measured (95 % interval)", "expected", "outcome"]]
    for name, claim in claims.items():
        rows.append([name, measured(findings[name]), expected(claim), findings[name].outcome])
    return aligned(rows)


def measured(finding: Finding) -> str:
    """The quantity with its interval."""
    if finding.value is None:
        return "-"
    if finding.interval is None:
        return f"{finding.value:.4g} (one seed)"
    low, high = finding.interval
    same = low == high
    return f"{finding.value:.4g}" + ("" if same else f" ({low:.4g} to {high:.4g})")


def expected(claim: Claim) -> str:
    """The bounds."""
    if claim.least is None:
        return f"at most {claim.most:g}"
    if claim.most is None:
        return f"at least {claim.least:g}"
    return f"{claim.least:g} to {claim.most:g}"


def as_table(told: Mapping[str, Any], experiment: str) -> str:
    """The claims about one experiment as Markdown; empty if there are none.

    Args:
        told: what ``claims.json`` holds.
        experiment: its name.
    """
    rows = [["claim", "source", "quantity", "expected", "measured (95 %)", "outcome", "run"]]
    for name, one in told.items():
        claim, finding = Claim.model_validate(one["claim"]), Finding(**one["finding"])
        if claim.experiment == experiment:
            rows.append([f"`{name}`: {claim.states}", *_cells(claim, finding)])
    return aligned(rows) if len(rows) > 1 else ""


def _cells(claim: Claim, finding: Finding) -> list[str]:
    link = f"[{finding.run[:8]}]({finding.address})" if finding.run else "-"
    found = [expected(claim), measured(finding), finding.outcome, link]
    return [claim.source, f"{quantity(claim)}: {claim.reading}".removesuffix(": "), *found]


def quantity(claim: Claim) -> str:
    """What is measured, in words."""
    measure = claim.measure
    of = f"`{measure.variant}`"
    if measure.by == "share":
        told = f"share of seeds with `{measure.metric}`, {of}"
    elif measure.by == "value":
        told = f"`{measure.metric}`, {of}"
    else:
        joint = "less" if measure.by == "difference" else "divided by"
        other = f", `{measure.baseline_metric}`" if measure.baseline_metric else ""
        told = f"`{measure.metric}`, {of} {joint} `{measure.baseline}`{other}"
    return f"{told} ({claim.profile})"
