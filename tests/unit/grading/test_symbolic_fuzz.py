"""Random expressions in two renderings, their neighbours, and arbitrary text."""

import math
import time
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from versus.grading.symbolic import PARSERS, compare

Tree = tuple[Any, ...]
"""An operation and what it is done with."""

LEAVES = st.one_of(
    st.integers(0, 99).map(lambda n: ("number", str(n))),
    st.sampled_from("xyab").map(lambda name: ("symbol", name)),
    st.just(("pi",)),
)


def _grow(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    pair = st.tuples(st.sampled_from(("add", "sub", "mul", "div")), inner, inner)
    power = st.tuples(st.just("pow"), inner, st.integers(2, 4).map(lambda n: ("number", str(n))))
    return pair | power | st.tuples(st.sampled_from(("neg", "sqrt", "sin", "abs")), inner)


TREES = st.recursive(LEAVES, _grow, max_leaves=7)


def latex(tree: Tree) -> str:
    """As a careful author writes it."""
    op, *args = tree
    if op in ("number", "symbol"):
        return str(args[0])
    texts = [latex(argument) for argument in args]
    forms = {
        "pi": r"\pi",
        "add": r"\left({}+{}\right)",
        "sub": "({}-{})",
        "mul": r"({}) \cdot {{({})}}",
        "div": r"\dfrac{{{}}}{{{}}}",
        "pow": "({})^{{{}}}",
        "neg": "(-{})",
        "sqrt": r"\sqrt{{{}}}",
        "sin": r"\sin\left({}\right)",
        "abs": r"\left|{}\right|",
    }
    return forms[op].format(*texts)


def ascii_turned(tree: Tree) -> str:
    """In ascii, with the operands of sums and products in the other order."""
    op, *args = tree
    if op == "number":
        return f"({args[0]})"
    if op == "symbol":
        return str(args[0])
    texts = [ascii_turned(argument) for argument in args]
    forms = {
        "pi": "pi",
        "add": "({1} + {0})",
        "sub": "(-({1})+{0})",
        "mul": "({1})*({0})",
        "div": "(1/({1}))({0})",
        "pow": "({0})**({1})",
        "neg": "(0-{0})",
        "sqrt": "sqrt({0})",
        "sin": "sin({0})",
        "abs": "abs({0})",
    }
    return forms[op].format(*texts)


def value(tree: Tree, x: float) -> float:
    """By Python's floats."""
    op, *args = tree
    if op == "number":
        return float(args[0])
    if op == "symbol":
        return x + 0.37 * "xyab".index(str(args[0]))
    if op == "pi":
        return math.pi
    one, other = (*(value(argument, x) for argument in args), 0.0)[:2]
    if op == "div":
        return one / (other if abs(other) > 1e-9 else 0)  # sin(pi) is no divisor
    if op == "pow":
        return math.pow(one, other)
    two = {"add": one + other, "sub": one - other, "mul": one * other}
    return two[op] if op in two else _of_one(op, one)


def _of_one(op: str, x: float) -> float:
    return {"neg": lambda: -x, "abs": lambda: abs(x), "sin": lambda: math.sin(x)}.get(
        op, lambda: math.sqrt(x)
    )()


def _has_values(tree: Tree) -> bool:
    try:
        return all(math.isfinite(value(tree, x)) for x in (0.7, 1.9, 3.2, 5.3))
    except (ArithmeticError, ValueError):
        return False


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_two_renderings_are_equal_and_neighbours_are_not(tree: Tree) -> None:
    assume(_has_values(tree))
    one, other = latex(tree), ascii_turned(tree)
    assume(max(len(one), len(other)) < 480)
    assert compare(one, other).outcome == "equal"
    assert compare(one, f"{other}+1/1000").outcome == "different"
    assert compare(f"2({one})+1", f"({other})*2+2").outcome == "different"


@settings(max_examples=100, deadline=None)
@given(TREES, TREES)
def test_equal_means_the_same_floats(one: Tree, other: Tree) -> None:
    assume(_has_values(one) and _has_values(other))
    first, second = latex(one), latex(other)
    assume(max(len(first), len(second)) <= 512)
    found = compare(first, second)
    assert found == compare(second, first)
    same = all(
        math.isclose(value(one, x), value(other, x), rel_tol=1e-6, abs_tol=1e-6)
        for x in (0.7, 1.9, 3.2, 5.3)
    )
    assert same or found.outcome != "equal"


@settings(max_examples=100, deadline=None)
@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
def test_fractions_are_exact(one: Fraction, other: Fraction) -> None:
    text = rf"\frac{{{other.numerator}}}{{{other.denominator}}}"
    assert compare(str(one), text).outcome == ("equal" if one == other else "different")
    assert compare(str(other), text).outcome == "equal"


PIECES = [
    *(r"\frac", r"\sqrt", r"\sin", r"\log", r"\left(", r"\right)", r"\binom", r"\int", r"\sum"),
    *"^_{}()[]|!/*+-=<,.'\"#&°²½xyie",
    *("pi", "12", "0", "7.5", "1e9", r"\pm", r"\le", r"\pi", "\\\\", r"\text", r"\boxed"),
    *("__class__", "import", "\x00", "\ud800", "\u202e"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=40)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_any_text_has_a_verdict(text: str) -> None:
    started = time.monotonic()
    assert compare("x^2+1234567891", text).outcome != "equal"
    assert compare(text, text).outcome in ("equal", "unparsed", "timeout", "different")
    assert time.monotonic() - started < 5


@pytest.mark.slow
@pytest.mark.parametrize("parser", PARSERS)
@settings(max_examples=1500, deadline=None)
@given(TEXTS)
def test_any_text_has_a_verdict_by_any_parser(parser: str, text: str) -> None:
    assert compare("x^2+1234567891", text, parser).outcome != "equal"


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(TREES)
def test_many_renderings(tree: Tree) -> None:
    assume(_has_values(tree))
    one, other = latex(tree), ascii_turned(tree)
    assume(max(len(one), len(other)) < 480)
    assert compare(one, other).outcome == "equal"
    assert compare(one, f"{other}+1/1000").outcome == "different"
