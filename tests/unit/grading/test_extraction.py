"""Where an output's answer is found."""

import time

import pytest

from versus.core.errors import ConfigError
from versus.grading import extract
from versus.grading.extraction import answer_in

BOXES = [
    (r"So $x = \boxed{\frac{1}{2}}$.", r"\frac{1}{2}"),
    (r"\boxed{1} is wrong, thus \boxed{2}", "2"),
    (r"the set $\boxed{\{1,2\}}$", r"\{1,2\}"),
    (r"\boxed {17}.", "17"),
    (r"$\boxed 5$.", "5"),
    (r"\boxed5", "5"),
    (r"\fbox{3}", "3"),
    (r"\boxed\frac12$", r"\frac12"),
    ("cut off: $\\boxed{\\sqrt{5}$", r"\sqrt{5}"),
    (r"\boxed{\boxed{4}}", "4"),
    ("\\boxed{5}\n\nQuestion: what is $1+1$? $\\boxed{2}$", "5"),
    (r"\boxed{}", None),
]
PHRASES = [
    ("Final Answer: The final answer is $5$. I hope it is correct.", "$5$"),
    ("The answer is $\\frac{1}{2}$.\nLet me check.", r"$\frac{1}{2}$"),
    ("**Final answer:** 7", "7"),
    ("Then $a = 2$. Hence we get $x = 42$.", "x = 42"),
    ("Thus the count is 12 in total.", "12"),
    ("Softball, Kickball, Picnic", "Softball, Kickball, Picnic"),
    ("\\frac{3}{4}", r"\frac{3}{4}"),
    ("", None),
    ("So there is none.", None),
]
NUMBERS = [
    ("2 + 3 = 5\n#### 5", "5"),
    ("#### 1,234 apples and 7 pears", "1234"),
    ("#### 4\nso #### 5", "5"),
    ("#### $-1,234.50", "-1234.50"),
    ("#### −3", "-3"),
    ("#### 3/4", "3/4"),
    ("#### 2 1/2", "2 1/2"),
    ("#### \\frac{1}{2}", "1/2"),
    ("#### 12%", "12"),
    ("#### **42**", "42"),
    ("#### 42\n\nQuestion: Tom has 5 pens.\n#### 7", "42"),
    ("The answer is 42. Then 7 more come.", "42"),
    ("She has 5 cats and 2 dogs, 7 pets in all.", "7"),
    ("<<6*7=42>>42 eggs", "42"),
    ("The answer is 10 + 5 = 15.", "15"),
    ("10 - 4 = 6", "6"),
    ("x-5", "5"),
    ("She pays $72.\n\nQ: Ann has 3.", "72"),
    ("1.5 million", "1.5 million"),
    ("1e3", "1e3"),
    ("##### nothing", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "answer"), BOXES + PHRASES)
def test_answers_of_math(text: str, answer: str | None) -> None:
    assert extract(text, "math") == answer


@pytest.mark.parametrize(("text", "answer"), NUMBERS)
def test_answers_of_gsm8k(text: str, answer: str | None) -> None:
    assert extract(text, "gsm8k") == answer


@pytest.mark.parametrize("text", ["5 or 6", "The answer is 5 or 6.", "#### 5-6", "5 to 6", "1,72"])
def test_two_numbers_are_not_one_answer(text: str) -> None:
    assert extract(text) not in ("5", "6", "1", "72")


def test_joined_boxes_are_one_list_for_grading() -> None:
    text = r"either $x = \boxed{3}$ and $x = \boxed{5}$."
    assert answer_in(text, "math") == "3, 5"
    assert extract(text, "math") == "5"
    assert answer_in(r"\boxed{3} or \boxed{5}", "math") == r"3 \text{ or } 5"
    assert answer_in(r"\boxed{3}. Then \boxed{5}", "math") == "5"


def test_an_unknown_data_set_is_named() -> None:
    with pytest.raises(ConfigError, match="'gsm9k' is unknown; choose one of gsm8k, math"):
        extract("5", "gsm9k")


@pytest.mark.parametrize(
    "piece", ["\\boxed{", "$", "\\(", "answer ", "#", "1,", "1 or ", "\n", " "]
)
@pytest.mark.parametrize("dataset", ["gsm8k", "math"])
def test_long_texts_take_little_time(piece: str, dataset: str) -> None:
    started = time.process_time()
    extract(piece * (100_000 // len(piece)) + "Q", dataset)
    assert time.process_time() - started < 0.5
