"""Accuracy on the golds of GSM8K and MATH and on labelled pairs made from them."""

from collections import Counter

import pytest

from tests.unit.grading import labelled
from versus.grading import extract, grade, shaped

pytestmark = pytest.mark.skipif(not labelled.DATA.is_dir(), reason="the data sets are not here")
NUMBERS = {"integer", "fraction", "decimal", "thousands", "mixed number"}
LEAST = 0.99


@pytest.mark.parametrize(("part", "count"), [("train", 7498), ("test", 5000)])
def test_the_last_box_of_every_math_solution_is_its_answer(part: str, count: int) -> None:
    found = 0
    for row in labelled.rows(f"math/{part}"):
        solution = row["solution"]
        answer = labelled.last_box(solution)
        if not answer:
            assert extract(solution, "math") is None  # two training rows have an empty box
            continue
        assert extract(solution, "math") == answer
        assert grade(solution, solution, "math").equal, answer
        assert grade(answer, answer, "math").equal, answer
        assert grade(answer, f"The answer is $\\boxed{{{answer}}}$.", "math").equal, answer
        found += 1
    assert found == count


@pytest.mark.parametrize("part", ["train", "test", "test_socratic"])
def test_every_gsm8k_gold_is_right(part: str) -> None:
    for row in labelled.rows(f"gsm8k/{part}"):
        solution = row["answer"]
        number = solution.rpartition("####")[2].strip()
        assert extract(solution) == number.replace(",", "")
        assert grade(solution, solution).equal
        assert grade(solution, number).equal
        assert grade(number, solution).equal
        wrong = str(int(number.replace(",", "")) + 1)
        assert not grade(solution, wrong).equal


def test_labelled_pairs() -> None:
    cases = labelled.cases(per_kind=40)
    counts: Counter[str] = Counter()
    for case in cases:
        equal = grade(case.gold, case.answer, case.dataset).equal
        counts["right"] += equal == case.equal
        if equal and not case.equal:
            assert case.kind not in NUMBERS, case
            counts["false positives"] += 1
    assert counts["right"] >= LEAST * len(cases)
    assert counts["false positives"] <= (1 - LEAST) * len(cases) / 10


def test_the_labelled_set_is_the_same_each_time() -> None:
    cases = labelled.cases(per_kind=5)
    assert cases == labelled.cases(per_kind=5)
    kinds = {case.kind for case in cases}
    assert len(kinds) == 23
    for kind in kinds - {"other"}:
        assert {case.equal for case in cases if case.kind == kind} == {True, False}


def test_a_wrong_output_earns_at_most_half_of_a_right_one() -> None:
    for case in labelled.cases(per_kind=10):
        reward = shaped(case.gold, case.answer, case.dataset)
        assert reward == 1.0 if case.equal else reward <= 0.5, case
