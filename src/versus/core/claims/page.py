"""All claims as a table: for the terminal, as Markdown and as JSON."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

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
        name: {**claim.model_dump(mode="json"), **findings[name]._asdict()}
        for name, claim in claims.items()
    }
    write_json(folder / "claims.json", told)
    write_text(folder / "claims.md", _markdown(claims, findings))


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


def _markdown(claims: Mapping[str, Claim], findings: Mapping[str, Finding]) -> str:
    lines = ["# Claims", "", f"{counts(findings)}.", "", RULE, ""]
    for experiment in dict.fromkeys(claim.experiment for claim in claims.values()):
        own = {name: claim for name, claim in claims.items() if claim.experiment == experiment}
        lines += [f"## {experiment}", "", _table(own, findings), ""]
    return "\n".join(lines)


def _table(claims: Mapping[str, Claim], findings: Mapping[str, Finding]) -> str:
    rows = [["claim", "source", "quantity", "expected", "measured (95 %)", "outcome", "run"]]
    for name, claim in claims.items():
        finding = findings[name]
        states = f"{claim.states} {claim.reading}".strip()
        link = f"[{finding.run[:8]}]({finding.address})" if finding.run else "-"
        found = [expected(claim), measured(finding), finding.outcome, link]
        rows.append([f"`{name}`: {states}", claim.source, quantity(claim), *found])
    return aligned(rows)


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
        told = f"`{measure.metric}`, {of} {joint} `{measure.baseline}`"
    return f"{told} ({claim.profile})"
