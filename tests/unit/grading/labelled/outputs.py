"""Whole outputs around an answer."""

import random
from collections.abc import Iterator

_MATH = (
    "Adding both gives $2 + 3 = 5$. So the answer is $\\boxed{%s}$.",
    "First I tried $\\boxed{17}$, which is wrong.\n\nTherefore \\[\\boxed{%s}.\\]",
    "Here $a = 4$.\n\nFinal Answer: The final answer is $%s$. I hope it is correct.",
    "Since $x > 2$, there are 3 cases.\n\nThe answer is $%s$.",
    "It follows from the above that the value is\n\n$$\\boxed{%s}$$",
    "**Step 1:** count.\n\n**Final answer:** $%s$",
    "$\\fbox{%s}$",
    "We get $\\boxed {%s}$.\n\nQuestion: What is $1 + 1$?\nAnswer: $\\boxed{2}$",
)


def math(answer: str, chance: random.Random) -> str:
    """An output for MATH with this answer."""
    return chance.choice(_MATH) % answer


def gsm8k(gold: int, chance: random.Random) -> Iterator[tuple[str, bool]]:
    """Outputs for GSM8K with labels: right ones and near misses of each form."""
    other = chance.randint(2, 60)
    for number, equal in ((gold, True), (_near(gold, chance), False)):
        yield f"{number}", equal
        yield f"{number}.00", equal
        yield f"{other} + 1 = {other + 1}\n#### {number}", equal
        yield f"#### {number:,}", equal
        yield f"He had {other} left.\n#### ${number:,} dollars", equal
        yield f"So the answer is {number}.", equal
        yield f"**Answer:** **{number:,}**", equal
        yield f"She needs {other} more, so the total is {number} apples.", equal
        yield f"There are {other} left. The answer is ${number}.00.", equal
        yield f"#### {number}\n\nQuestion: Tom has {other} pens. How many?\n#### {other}", equal
        yield (
            f"The answer is {number}.\n\nQ: Ann has {other} cats.\nA: The answer is {other}.",
            equal,
        )
        yield f"Half of it is {other}, thus the final answer is \\boxed{{{number}}}.", equal
        yield f"#### {2 * number}/2".replace("-", "−"), equal
    yield f"#### {gold}{other}", False
    yield "I do not know.", False


def _near(gold: int, chance: random.Random) -> int:
    return chance.choice([gold + 1, gold - 1, gold * 10 if gold else 7, -gold if gold else 3])
