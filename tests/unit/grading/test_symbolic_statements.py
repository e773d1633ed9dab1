"""Equations, inequalities, plus-minus and whole matrices."""

import pytest

from versus.grading.symbolic import compare

EQUAL = [
    ("y=2x+3", "2x-y+3=0"),
    ("y=2x+3", "3+2x=y"),
    (r"\frac{x}{2}+\frac{y}{3}=1", "3x+2y=6"),
    ("x^2+y^2=25", "25-y^2-x^2=0"),
    ("x=5", "5"),
    ("2x+3", "y=2x+3"),
    ("y=1/x", "xy=1"),
    (r"\sqrt2 x+y=1", r"2x+\sqrt2 y=\sqrt2"),
    (r"\frac{x}{7}+\frac{\pi y}{3}=1", r"3x+7\pi y=21"),
    (r"\sin x+\frac{y}{\pi}<1", r"\pi\sin x<\pi-y"),
    (r"x \le 5", r"5 \ge x"),
    ("x ≤ 5", "x<=5"),
    ("2x>10", "x>5"),
    ("-x>-5", "x<5"),
    ("1 < x < 5", "5>x>1"),
    (r"x \ne 3", r"3 \neq x"),
    (r"x \neq 3", "2x-6!=0"),
    (r"1\pm\sqrt2", r"1\mp\sqrt2"),
    (r"\frac{-1\pm\sqrt5}{2}", r"-\frac12\pm\frac{\sqrt5}{2}"),
    (r"x=\pm 2", r"x=\mp\sqrt4"),
    (
        r"\begin{pmatrix}1&\frac{1}{2}\\3&4\end{pmatrix}",
        r"\begin{pmatrix}1&0.5\\3&2^2\end{pmatrix}",
    ),
    (r"\int_0^1 x dx", r"\frac12"),
    (r"\sum_{n=1}^{4} n^2", "30"),
]
DIFFERENT = [
    ("y=2x+3", "y=2x+4"),
    ("y=2x+3", "x=2y+3"),
    ("y=2x+3", "2x+4"),
    ("x=5", "y=5"),
    ("x=5", "x^2=25"),
    ("x^2=x", "x=1"),
    ("x=5", "6"),
    (r"x \le 5", "x<5"),
    (r"x \le 5", r"x \ge 5"),
    ("x<5", "-x<-5"),
    ("1<x<5", "1<x"),
    ("1<x<5", r"1<x \le 5"),
    (r"x \ne 3", "x=3"),
    ("x<5", "5"),
    ("1=1", "2=2"),
    (r"1\pm\sqrt2", r"1+\sqrt2"),
    (r"\pm 2", r"\pm 3"),
    (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\\3\end{pmatrix}"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", "2"),
    (r"\int_0^1 x dx", r"\frac13"),
    (r"\infty", r"-\infty"),
    (r"\infty", "10^{4}"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal(one: str, other: str) -> None:
    assert compare(one, other).outcome == "equal"
    assert compare(other, one).outcome == "equal"


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different(one: str, other: str) -> None:
    assert compare(one, other).outcome == "different"
    assert compare(other, one).outcome == "different"


@pytest.mark.parametrize("text", ["0=0", "x=x", "a=b=c", "=5", "x=", "1<2<3<4<5", "x<5=y"])
def test_a_statement_without_content_is_equal_to_nothing(text: str) -> None:
    assert compare(text, "y=2x+3").outcome != "equal"
    assert compare("5", text).outcome != "equal"
