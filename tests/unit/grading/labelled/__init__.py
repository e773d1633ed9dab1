"""Labelled pairs of gold and answer, made from the golds of GSM8K and MATH.

A rewrite keeps the value by the rules of the field; a near miss changes it. Both are written from
what answers mean, on their text, without the code that is measured.
"""

import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.unit.grading.labelled import outputs
from tests.unit.grading.labelled.kinds import KINDS, kind_of

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"


class Case(NamedTuple):
    """A pair with its label.

    Args:
        dataset: ``gsm8k`` or ``math``.
        kind: what the gold is.
        gold: the right answer, bare.
        answer: the answer to grade.
        equal: the label.
        whole: whether the answer is a whole output, and not bare.
    """

    dataset: str
    kind: str
    gold: str
    answer: str
    equal: bool
    whole: bool


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a data file like ``math/test``."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def last_box(solution: str) -> str:
    """What the last box of a reference solution holds, by counting braces."""
    start = max(solution.rfind("\\boxed"), solution.rfind("\\fbox"))
    start += re.match(r"\\(boxed|fbox)\s?", solution[start:])[0].__len__()  # type: ignore[index]
    if solution[start] != "{":
        return solution[start : solution.index("$", start)].strip()
    depth = 0
    for index in range(start, len(solution)):
        depth += (solution[index] == "{") - (solution[index] == "}")
        if depth == 0:
            return solution[start + 1 : index].strip()
    raise ValueError(f"a box is not closed: {solution[start:]}")


def math_golds() -> list[str]:
    """All different golds of MATH, sorted; two training rows have an empty box."""
    solutions = [row["solution"] for part in ("train", "test") for row in rows(f"math/{part}")]
    return sorted({last_box(solution) for solution in solutions} - {""})


def gsm8k_golds() -> list[str]:
    """All different golds of GSM8K, sorted."""
    answers = [row["answer"] for part in ("train", "test") for row in rows(f"gsm8k/{part}")]
    return sorted({answer.rpartition("####")[2].strip() for answer in answers})


def cases(per_kind: int = 120, seed: int = 0) -> list[Case]:
    """Labelled pairs, at most ``per_kind`` golds of each kind of MATH and twice that of GSM8K."""
    chance = random.Random(seed)
    by_kind: dict[str, list[str]] = defaultdict(list)
    for gold in math_golds():
        by_kind[kind_of(gold)].append(gold)
    found: list[Case] = []
    for kind in sorted(by_kind):
        golds = chance.sample(by_kind[kind], min(per_kind, len(by_kind[kind])))
        for gold in golds:
            found += _math_cases(kind, gold, chance)
    golds = gsm8k_golds()
    for gold in chance.sample(golds, min(2 * per_kind, len(golds))):
        found += _gsm8k_cases(gold, chance)
    return list(dict.fromkeys(found))


def _math_cases(kind: str, gold: str, chance: random.Random) -> Iterator[Case]:
    yield Case("math", kind, gold, gold, True, False)
    same, different = KINDS[kind]
    kept = [text for text in same(gold, chance) if text != gold]
    missed = [text for text in different(gold, chance) if text != gold]
    for texts, equal in ((kept, True), (missed, False)):
        for text in texts:
            yield Case("math", kind, gold, text, equal, False)
        for text in chance.sample(texts, min(1, len(texts))):
            yield Case("math", "output", gold, outputs.math(text, chance), equal, True)
    yield Case("math", "output", gold, outputs.math(gold, chance), True, True)


def _gsm8k_cases(gold: str, chance: random.Random) -> Iterator[Case]:
    for text, equal in outputs.gsm8k(int(gold.replace(",", "")), chance):
        yield Case("gsm8k", "gsm8k output", gold, text, equal, True)
