"""The claims by the command line, before and after something was trained."""

from pathlib import Path

import pytest

from tests.end_to_end.conftest import commands_of
from versus import cli
from versus.core.paths import read_json, write_json

MEASURE = {"metric": "white/nmse", "variant": "Omega", "baseline": "Delta", "by": "difference"}
CLAIM = {"states": "Omega errs less.", "source": "paper", "experiment": "memory"}


def test_claims_are_held_against_what_was_trained(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = {**CLAIM, "profile": "smoke", "measure": MEASURE, "most": 0}
    write_json(project / "evaluation" / "claims.yaml", {"claims": {"omega": claim}})
    (words,) = commands_of("claims.md")
    assert cli.main(words) == 0
    assert "1 no runs" in capsys.readouterr().out
    assert cli.main(["train", "memory", "--profile", "smoke", "--quiet"]) == 0
    assert cli.main(words) == 0
    assert "no runs" not in capsys.readouterr().out.rpartition("| omega")[2]
    found = read_json(project / "results" / "claims.json")["omega"]["finding"]
    (told,) = (project / "runs" / "memory").glob("*/results/run.json")
    assert found["run"] == read_json(told)["parent"]
    assert found["outcome"] in ("supported", "refuted", "inconclusive")
    assert found["seeds"] == 3
