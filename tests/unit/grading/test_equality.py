"""Which answers are equal: a table for each kind, with near misses."""

import itertools

import pytest

from versus.grading import grade

EQUAL: dict[str, list[tuple[str, ...]]] = {
    "numbers": [
        (r"\frac{1}{2}", "0.5", "2/4", r"\dfrac12", "½", ".50", r"\frac{-1}{-2}"),
        ("1234", "1,234", r"1,\!234", "1{,}234", "1234.0", "+1234", "$1234$", "**1234**"),
        (r"1\frac{2}{3}", "5/3", "1 2/3", r"1 + \frac23", "1⅔"),
        (r"0.\overline{3}", r"\frac13", "0.(3)", "0.333..."),
        (r"0.1\overline{6}", "1/6"),
        (r"1.2\times10^5", "1.2e5", "120000", "120 \\text{ thousand}"),
        ("-5", "−5", "(-5)"),
        (r"\text{four}", "4"),
        (r"\mathbf{2340}", "2340"),
        ("2^{4950}", "4^{2475}"),
        (r"\frac{1}{2004!}", "1/2004!"),
        (r"\binom{10}{3}", "5!"),
    ],
    "roots and constants": [
        (r"\sqrt{8}", r"2\sqrt2", "2√2", "2*sqrt(2)", r"\frac{4}{\sqrt{2}}", r"\sqrt(8)"),
        (r"\frac{\sqrt[3]{4}}{6}", r"\frac{1}{3\sqrt[3]{2}}"),
        (r"\frac{\pi}{2}", "π/2", r"0.5\pi", "pi/2"),
        (r"3-4i", "-4i+3", r"\frac{25}{3+4i}"),
        (r"480+480\sqrt{3}", r"480(1+\sqrt3)"),
    ],
    "expressions": [
        ("(2x+3)(x-3)", "2x^2-3x-9", "2x² - 3*x - 9"),
        (r"\frac{2a+b}{2}", "a+b/2"),
        (r"\frac{x^2-1}{x-1}", "x+1"),
        (r"10x\sqrt{21x}", r"10x\sqrt{21}\sqrt{x}"),
        ("3^x-2^x", "-2^{x}+3^{x}"),
    ],
    "points": [
        (
            "(1,2)",
            "(1, 2)",
            r"\left(\frac22,2\right)",
            r"\langle 1,2\rangle",
            "1, 2",
            "(x,y)=(1,2)",
        ),
        (r"(3\sqrt{3}, -9)", "(3*sqrt(3), -9)"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1,2)"),
    ],
    "lists": [
        ("1,2", "2, 1", r"\{1,2\}", r"1 \text{ and } 2", "2 or 1", "x=1,2", "x=1, x=2"),
        (r"3\pm\sqrt2", r"3-\sqrt2, 3+\sqrt{2}"),
        ("7, -2, \\text{ and } -5", "-5,-2,7"),
        ("100,200", "200, 100"),
        (r"\text{C, F, H}", "H, C, F"),
        (r"\emptyset", r"\{\}", r"\text{no solution}"),
    ],
    "intervals": [
        (r"(-\infty,3]\cup[4,\infty)", r"[4,∞)∪(-∞,3]"),
        ("x>3", r"(3,\infty)", r"x \in (3,\infty)", "3<x"),
        (r"-80\leq g(x)\leq 82", "[-80,82]"),
        (r"x \ne 3", r"(-\infty,3)\cup(3,\infty)"),
        (r"\mathbb{R}", r"(-\infty,\infty)"),
    ],
    "matrices": [
        (
            r"\begin{pmatrix}1/2\\2\end{pmatrix}",
            r"\frac12\begin{bmatrix}1\\4\end{bmatrix}",
            r"\begin{pmatrix} 0.5 \\ 2 \end{pmatrix}.",
        ),
    ],
    "equations": [
        ("x=5", "5", "5=x", "2x=10", "x - 5 = 0"),
        ("y=2x+3", "2x+3", "y-2x=3"),
        ("x-3z=0", "x=3z", "6z-2x=0"),
        (r"\frac{x^2}{16}-\frac{y^2}{9}=1", "9x^2-16y^2=144"),
        (r"s^2 \le 8r^2", r"8r^2 \geq s^2", r"2s^2 \le 16r^2"),
        ("AB=9, CD=4", "9,4"),
        ("0.56=56\\%", "56", "0.56"),
        (r"\$\dfrac23 \approx \$0.67", r"\frac23"),
    ],
    "units": [
        (r"17\text{ m}", "17 meters", "17", "17 m", r"1700\text{ cm}"),
        (r"10\text{ cm}^2", "10 square centimeters", r"10\text{ sq cm}", "10 square units"),
        (r"10\text{ km/h}", "10 kilometers per hour"),
        (r"52\%", "52", "52%", "52 percent"),
        (r"52\%", "0.52", r"\frac{13}{25}"),
        (r"\$65", "65", "$65", "65 dollars", r"\$65.00"),
        (r"80\text{ cents}", r"\$0.80"),
        (r"90^\circ", "90", "90°", "90 degrees"),
        (r"\approx 8.24 \text{ mph}", "8.24"),
    ],
    "bases and times": [
        ("2112_6", "2112_{6}"),
        (r"\text{A5}_{11}", "A5_{11}"),
        (r"4:30\text{ p.m.}", "4:30 PM", "4:30"),
        (r"8\!:\!34 \text{ p.m.}", "20:34"),
        ("1:2", "2:4", r"\frac12"),
    ],
    "text": [
        (r"\text{(A)}", "A", "(a)", r"\textbf{A}", "A."),
        (r"\text{June 20}", "june 20"),
        (r"\text{Monday}", "monday", "**Monday**"),
        ("two lines", r"\text{two lines}"),
    ],
}
DIFFERENT = [
    ("1,234", "5,234"),
    ("40", "4000"),
    ("0.0042", "0.0043"),
    ("1/3", "0.333"),
    ("2^{2005}", "2^{2004}"),
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
    (r"1\frac45", r"\frac45"),
    ("1 2/3", "12/3"),
    ("27,93", "2793"),
    ("10,000", "10.000"),
    ("9", r"9\text{ million}"),
    ("7", "7.0000001"),
    (r"\pi", "3.141592653589793"),
    (r"\sqrt{3}", "1.7320508075688772"),
    ("3i", "3"),
    ("5x", "5"),
    ("x+1", "x-1"),
    ("x^2", "2x"),
    ("(1,2)", "(2,1)"),
    ("(6,7)", "[6,7]"),
    ("[0,1)", "[0,1]"),
    ("(1,2)", r"\{1,2\}"),
    ("5 or 6", "5"),
    (r"\pm 3", "3"),
    ("1,2,3", "1,2"),
    ("2,2,3", "2,3,3"),
    ("x>3", "x<3"),
    ("x>3", r"x\ge3"),
    (r"s^2 \le 8r^2", r"s^2 \ge 8r^2"),
    ("x=5", "y=5"),
    ("x-3z=0", "x+3z=0"),
    ("5=7", "7"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1&2\end{pmatrix}"),
    (r"17\text{ m}", r"17\text{ feet}"),
    (r"5\text{ cm}", r"5\text{ cm}^2"),
    (r"\$5", "5 euros"),
    (r"\$65", r"65\text{ cents}"),
    (r"50\%", "5"),
    ("7602_8", "7602_9"),
    ("7602_8", "7602"),
    (r"4:30\text{ p.m.}", "4:30 a.m."),
    ("5:00", "10:00"),
    ("MAKE", "KAME"),
    ("ABC", "CAB"),
    (r"\text{A}", "B"),
    (r"\text{even}", "odd"),
    ("5\x00", "5"),
    ("\u202e5", "5"),
    ("5", "5\ud800"),
    ("1", "(" * 100 + "1" + ")" * 100),
    ("1", "1" * 100),
]
PAIRS = [
    pair for rows in EQUAL.values() for row in rows for pair in ((row[0], other) for other in row)
]


def _equal(gold: str, answer: str) -> bool:
    found = grade(gold, answer, "math")
    assert found.path in ("string", "number", "structure", "unparsed"), found
    return found.equal


@pytest.mark.parametrize(("gold", "answer"), PAIRS)
def test_equal_answers_both_ways(gold: str, answer: str) -> None:
    assert _equal(gold, answer)
    assert _equal(answer, gold)


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_near_misses_both_ways(gold: str, answer: str) -> None:
    assert not _equal(gold, answer)
    assert not _equal(answer, gold)


@pytest.mark.parametrize("kind", EQUAL)
def test_rows_of_a_table_differ(kind: str) -> None:
    for one, other in itertools.combinations(EQUAL[kind], 2):
        if not {*one} & {*other}:
            assert not _equal(one[0], other[0])
