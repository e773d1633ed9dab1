"""What reaches the terminal."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from versus.core import pipeline
from versus.core.display import Display
from versus.core.watching import ProgressBar


class Terminal(io.StringIO):
    """Collects what is written, and says that somebody looks at it."""

    def isatty(self) -> bool:
        return True


def test_text_takes_the_place_of_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    display = Display()
    with display.progress("training", 10) as bar:
        for tell in (display.note, display.warn):
            cast(ProgressBar, bar).bar.refresh()
            tell("text")
    display.note("after")
    *told, rest = terminal.getvalue().split("text\n")
    # The bar's line is wiped, not continued.
    assert [part.rpartition("\r")[2] for part in told] == ["", "warning: "]
    assert all("training" in part for part in told)
    assert rest.rpartition("\r")[2] == "after\n"


def test_the_epilogue_follows_the_summary(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment: Any = SimpleNamespace(epilogue=lambda comparison, results: ["last", str(results)])
    monkeypatch.setattr(pipeline, "compare", lambda *args: {})
    monkeypatch.setattr(pipeline, "summary", lambda *args: "the verdict")
    places: Any = SimpleNamespace(results=Path("results"))
    pipeline.conclude(experiment, cast(Any, None), places, Display(quiet=True))
    assert capsys.readouterr().out.splitlines() == ["the verdict", "last", "results"]
