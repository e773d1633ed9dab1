"""Generated problems: right, sensible, varied, and never in both splits."""

import re
from fractions import Fraction
from itertools import pairwise

import pytest

from tests.unit.reoac.checkers import ALGEBRA
from tests.unit.reoac.solvers import STORIES
from versus.core.config import validate
from versus.core.errors import ConfigError
from versus.experiments.reoac.config import Comparison
from versus.experiments.reoac.data.config import Generated
from versus.experiments.reoac.data.generated import TEMPLATES, draw, draw_splits
from versus.experiments.reoac.data.generated.draws import Draw, Problem

EACH = 300


def problems(task: str, template: str, level: int) -> list[Problem]:
    make = TEMPLATES[task][template]
    return [make(Draw("test", task, template, level, number), level) for number in range(EACH)]


def test_every_template_has_a_judge() -> None:
    assert STORIES.keys() == TEMPLATES["gsm8k"].keys()
    assert ALGEBRA.keys() == TEMPLATES["math"].keys()


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("template", TEMPLATES["gsm8k"])
def test_stories_are_solved_rightly(template: str, level: int) -> None:
    for problem in problems("gsm8k", template, level):
        *working, ending = problem.solution.split("\n")
        answer = int(ending.removeprefix("#### "))
        assert STORIES[template](problem.question) == answer, problem
        values = [_checked_sum(line) for line in working]
        assert values[-1] == answer
        assert 0 < answer < 50_000


def _checked_sum(line: str) -> int:
    """The value that a line of the working comes to; its sum is done again."""
    match = re.search(r"(\d+) (.) (\d+) = \$?<<\1\2\3=(\d+)>>\4(?!\d)", line)
    assert match is not None, line
    left, right, value = int(match[1]), int(match[3]), int(match[4])
    again = {"+": left + right, "-": left - right, "*": left * right, "/": Fraction(left, right)}
    assert again[match[2]] == value
    return value


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("template", TEMPLATES["math"])
def test_algebra_is_solved_rightly(template: str, level: int) -> None:
    for problem in problems("math", template, level):
        *_, ending = problem.solution.split("\\boxed{")
        answer = ending.removesuffix("$.").removesuffix("}")
        assert ALGEBRA[template](problem.question, answer), (problem.question, answer)
        assert problem.solution.count("{") == problem.solution.count("}")
        assert problem.solution.count("\\boxed") == 1


@pytest.mark.parametrize("template", TEMPLATES["gsm8k"])
def test_a_harder_story_has_more_steps(template: str) -> None:
    steps = [problems("gsm8k", template, n)[0].solution.count("<<") for n in (1, 2, 3)]
    assert all(a <= b for a, b in pairwise(steps))
    assert steps[0] < steps[2]


def test_a_problem_depends_on_seed_data_set_split_and_number_alone() -> None:
    settings = Generated(train=50, test=20)
    rows = draw_splits(settings, "gsm8k")
    assert rows == draw_splits(settings, "gsm8k")
    assert draw_splits(Generated(train=80, test=20), "gsm8k")["test"] == rows["test"]
    assert draw_splits(Generated(train=80, test=20), "gsm8k")["train"][:50] == rows["train"]
    assert draw_splits(Generated(seed=1, train=50, test=20), "gsm8k") != rows
    assert draw(settings, "math", "train", 7) != draw(settings, "math", "test", 7)


@pytest.mark.parametrize("task", TEMPLATES)
def test_no_question_occurs_twice_and_all_kinds_occur(task: str) -> None:
    rows = draw_splits(Generated(train=5000, test=1000, levels=(1,)), task)
    field = "question" if task == "gsm8k" else "problem"
    questions = [row[field] for split in rows.values() for row in split]
    assert len(set(questions)) == len(questions) == 6000
    counts = [sum(row["template"] == name for row in rows["train"]) for name in TEMPLATES[task]]
    assert min(counts) > 10


def test_levels_are_kept_to() -> None:
    rows = draw_splits(Generated(train=60, test=5, levels=(1, 3)), "gsm8k")["train"]
    assert {row["level"] for row in rows} == {1, 3}


def test_more_problems_than_there_are_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def only(draw: Draw, level: int) -> Problem:
        return Problem(f"What is {draw.integer(1, 9)}?", "#### 1", {})

    monkeypatch.setitem(TEMPLATES, "gsm8k", {"only": only})
    with pytest.raises(
        ConfigError, match=r"generated\.train: found only 4 different .* received 5"
    ):
        draw_splits(Generated(train=5, test=5), "gsm8k")


@pytest.mark.parametrize(
    ("generated", "message"),
    [
        ({"train": 0}, "generated.train"),
        ({"levels": []}, "at least one level"),
        ({"levels": [1, 1]}, "each once"),
        ({"levels": [4]}, "less than or equal to 3"),
    ],
)
def test_impossible_settings_are_refused(generated: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(Comparison, {"experiment": "reoac", "data": {"generated": generated}})
