r"""Small algebra in the manner of MATH: LaTeX in, a worked solution with ``\boxed{}`` out."""

import math
from fractions import Fraction

from versus.experiments.reoac.data.generated.draws import Draw, Problem
from versus.experiments.reoac.data.generated.latex import number, polynomial


def linear(draw: Draw, level: int) -> Problem:
    """An equation with one solution: on level 3 a fraction."""
    slope, divisor = draw.integer(2, 9), draw.integer(2, 9)
    c = 0 if level == 1 else slope
    a, b = c + divisor, draw.signed(20)
    top = divisor * draw.signed(12) if level < 3 else _coprime(draw, divisor)
    d = b + top
    left, right = polynomial([a, b]), polynomial([c, d])
    move = (
        f"Bringing the terms with $x$ to one side gives ${divisor}x = {d} - {_bracket(b)} = {top}$"
    )
    answer = number(Fraction(top, divisor))
    return Problem(
        f"Solve for $x$: ${left} = {right}$.",
        f"{move}, so $x = \\boxed{{{answer}}}$.",
        {"a": a, "b": b, "c": c, "d": d},
        "Algebra",
    )


def _coprime(draw: Draw, divisor: int) -> int:
    """A number from -30 to 30 that shares no factor with ``divisor``."""
    return draw.one_of([n for n in range(-30, 31) if math.gcd(n, divisor) == 1])


def _bracket(value: int) -> str:
    return f"({value})" if value < 0 else str(value)


def fractions(draw: Draw, level: int) -> Problem:
    """Two fractions: added, subtracted, multiplied or divided."""
    one, two = (Fraction(draw.integer(1, 9), draw.integer(2, 12)) for _ in range(2))
    sign = draw.one_of((("+",), ("+", "-"), ("\\cdot", "\\div"))[level - 1])
    value = {"+": one + two, "-": one - two, "\\cdot": one * two, "\\div": one / two}[sign]
    asked = f"{number(one)} {sign} {number(two)}"
    if sign in ("+", "-"):
        below = math.lcm(one.denominator, two.denominator)
        over = [value * below for value in (one, two)]
        way = f"\\frac{{{over[0]}}}{{{below}}} {sign} \\frac{{{over[1]}}}{{{below}}}"
    else:
        way = f"{number(one)} \\cdot {number(value / one)}"
    return Problem(
        f"Compute ${asked}$. Give the answer in lowest terms.",
        f"${asked} = {way} = \\boxed{{{number(value)}}}$.",
        {
            "one": [one.numerator, one.denominator],
            "sign": sign,
            "two": [two.numerator, two.denominator],
        },
        "Prealgebra",
    )


def expand(draw: Draw, level: int) -> Problem:
    """A product of two polynomials."""
    one = [1 if level == 1 else draw.integer(2, 6), draw.signed(9)]
    two = [draw.integer(1, 5) for _ in range(level == 3)]
    two += [1 if level == 1 else draw.signed(5), draw.signed(9)]
    product = _product(one, two)
    terms = f"({polynomial(one)})({polynomial(two)})"
    parts = [
        polynomial([*(f * factor for f in two), *[0] * (len(one) - 1 - i)])
        for i, factor in enumerate(one)
    ]
    return Problem(
        f"Expand ${terms}$ and collect like terms.",
        f"Multiplying out, ${terms} = ({parts[0]}) + ({parts[1]})$, which is "
        f"$\\boxed{{{polynomial(product)}}}$.",
        {"one": one, "two": two},
        "Algebra",
    )


def _product(one: list[int], two: list[int]) -> list[int]:
    product = [0] * (len(one) + len(two) - 1)
    for i, a in enumerate(one):
        for j, b in enumerate(two):
            product[i + j] += a * b
    return product


def evaluation(draw: Draw, level: int) -> Problem:
    """The value of a polynomial of the level's degree."""
    factors = [draw.signed(6) for _ in range(level + 1)]
    at = draw.signed(3 + level)
    powers = range(level, -1, -1)
    terms = [f * at**power for f, power in zip(factors, powers, strict=True)]
    asked = polynomial(factors)
    summed = " + ".join(_bracket(term) for term in terms)
    return Problem(
        f"If $f(x) = {asked}$, what is $f({at})$?",
        f"$f({at}) = {summed} = \\boxed{{{sum(terms)}}}$.",
        {"factors": factors, "at": at},
        "Algebra",
    )


def quadratic(draw: Draw, level: int) -> Problem:
    """A quadratic equation with two rational solutions: a list."""
    below = draw.integer(2, 4) if level == 3 else 1
    first = Fraction(_coprime(draw, below) if level == 3 else draw.integer(1, 20), below)
    second = Fraction(draw.integer(1, 20) if level == 1 else draw.signed(12))
    second += first == second
    low, high = sorted((first, second))
    factors = [below, -int(below * (low + high)), int(below * low * high)]
    factored = f"({polynomial([below, -first.numerator])})({polynomial([1, -int(second)])})"
    solutions = f"{number(low)}, {number(high)}"
    return Problem(
        f"Find all solutions of ${polynomial(factors)} = 0$. List them in increasing order, "
        "separated by a comma.",
        f"The left side is ${factored}$, so the solutions are $\\boxed{{{solutions}}}$.",
        {"factors": factors},
        "Algebra",
    )


def system(draw: Draw, level: int) -> Problem:
    """Two equations with two unknowns: an ordered pair."""
    x, y = draw.signed(3 + 3 * level), draw.signed(3 + 3 * level)
    a, c = (1, 1) if level == 1 else (draw.integer(2, 7), draw.integer(1, 7))
    b, d = draw.signed(5), draw.signed(5)
    if a * d == b * c:  # then for no other d
        d += 1 if d != -1 else 2
    e, f = a * x + b * y, c * x + d * y
    sides = [f"{_two(a, b)} = {e}", f"{_two(c, d)} = {f}"]
    times = f"Multiplying the first equation by ${d}$ and the second by ${b}$ and subtracting gives"
    return Problem(
        f"Solve the system ${sides[0]}$ and ${sides[1]}$. Give the answer as an ordered pair "
        "$(x, y)$.",
        f"{times} ${a * d - b * c}x = {d * e - b * f}$, so $x = {x}$. Then $y = {y}$. The solution "
        f"is $\\boxed{{({x}, {y})}}$.",
        {"first": [a, b, e], "second": [c, d, f]},
        "Algebra",
    )


def _two(a: int, b: int) -> str:
    """``a x + b y`` with ``a`` positive."""
    return f"{polynomial([a, 0])} {'-' if b < 0 else '+'} {polynomial([abs(b), 0], 'y')}"


def inequality(draw: Draw, level: int) -> Problem:
    """A linear inequality: an interval."""
    a = draw.integer(2, 9) * (draw.one_of((1, -1)) if level > 1 else 1)
    b, bound = draw.signed(20), Fraction(draw.signed(12))
    if level == 3:
        bound = Fraction(_coprime(draw, abs(a)), a)
    c = b + int(a * bound)
    signs = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}
    sign = draw.one_of(tuple(signs))
    solved = sign if a > 0 else signs[sign]
    interval = _interval(solved, number(bound))
    turned = ", which turns the sign," if a < 0 else ""
    return Problem(
        f"Solve ${polynomial([a, b])} {sign} {c}$. Give the answer in interval notation.",
        f"Subtracting gives ${polynomial([a, 0])} {sign} {c - b}$; dividing by ${a}${turned} gives "
        f"$x {solved} {number(bound)}$, which is $\\boxed{{{interval}}}$.",
        {"a": a, "b": b, "c": c, "sign": sign},
        "Intermediate Algebra",
    )


def _interval(sign: str, bound: str) -> str:
    if sign in ("<", "\\le"):
        return f"(-\\infty, {bound}{')' if sign == '<' else ']'}"
    return f"{'(' if sign == '>' else '['}{bound}, \\infty)"
