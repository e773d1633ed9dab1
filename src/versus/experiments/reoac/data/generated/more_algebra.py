"""Sequences, geometry, chances, complex numbers and percentages, and the list of all."""

from collections.abc import Mapping
from fractions import Fraction

from versus.experiments.reoac.data.generated import algebra
from versus.experiments.reoac.data.generated.draws import Draw, Problem, Template
from versus.experiments.reoac.data.generated.latex import complex_number, number, root
from versus.experiments.reoac.data.generated.words import COLOURS


def sequence(draw: Draw, level: int) -> Problem:
    """A term or a sum of an arithmetic sequence; a term of a geometric one."""
    first = draw.integer(1, 12)
    if level == 3:
        ratio, place = draw.integer(2, 4), draw.integer(5, 7)
        shown = [first * ratio**k for k in range(3)]
        last, kind = first * ratio ** (place - 1), "geometric"
        way = f"{first} \\cdot {ratio}^{place - 1}"
    else:
        step, place = draw.integer(2, 9), draw.integer(8, 30)
        shown = [first + step * k for k in range(3)]
        last, kind = first + step * (place - 1), "arithmetic"
        way = f"{first} + {place - 1} \\cdot {step}"
    told = f"the {kind} sequence ${', '.join(map(str, shown))}, \\dots$"
    term, values = f"Term number ${place}$ is ${way} = ", {"shown": shown, "place": place}
    if level != 2:
        question = f"What is term number ${place}$ of {told}?"
        return Problem(question, f"{term}\\boxed{{{last}}}$.", values, "Algebra")
    total = place * (first + last) // 2
    return Problem(
        f"What is the sum of the first ${place}$ terms of {told}?",
        f"{term}{last}$. The sum is $\\frac{{{place} \\cdot ({first} + {last})}}{{2}}$, which is "
        f"$\\boxed{{{total}}}$.",
        values,
        "Algebra",
    )


def circle(draw: Draw, level: int) -> Problem:
    r"""Circumference, area or sector of a circle: a multiple of $\pi$."""
    radius = draw.integer(2, 99)
    if level == 1:
        question, way, factor = (
            "circumference of a circle",
            f"2 \\cdot {radius}",
            Fraction(2 * radius),
        )
    elif level == 2:
        question, way, factor = "area of a circle", f"{radius}^2", Fraction(radius**2)
    else:
        degrees = draw.one_of((30, 40, 45, 60, 72, 90, 120, 150))
        question = f"area of a sector of ${degrees}$ degrees of a circle"
        way, factor = (
            f"\\frac{{{degrees}}}{{360}} \\cdot {radius}^2",
            Fraction(degrees * radius**2, 360),
        )
    values = {"radius": radius} | ({"degrees": degrees} if level == 3 else {})
    return Problem(
        f"What is the {question} with radius ${radius}$? Give the exact answer.",
        f"It is ${way} \\cdot \\pi = \\boxed{{{_times_pi(factor)}}}$.",
        values,
        "Geometry",
    )


def _times_pi(factor: Fraction) -> str:
    return "\\pi" if factor == 1 else f"{number(factor)}\\pi"


def distance(draw: Draw, level: int) -> Problem:
    """The distance of two points: a root."""
    spread = 4 * level
    start = [0, 0] if level == 1 else [draw.signed(spread), draw.signed(spread)]
    end = [value + draw.signed(spread) for value in start]
    across, up = (b - a for a, b in zip(start, end, strict=True))
    square = across**2 + up**2
    answer = root(square)
    return Problem(
        f"What is the distance between the points ${_point(start)}$ and ${_point(end)}$?",
        f"The points are ${abs(across)}$ apart in $x$ and ${abs(up)}$ in $y$, so the distance is "
        f"$\\sqrt{{{across**2} + {up**2}}} = \\sqrt{{{square}}}$, which is $\\boxed{{{answer}}}$.",
        {"start": start, "end": end},
        "Geometry",
    )


def _point(point: list[int]) -> str:
    return f"({point[0]}, {point[1]})"


def chance(draw: Draw, level: int) -> Problem:
    """A probability: a fraction."""
    colours = draw.several(COLOURS, 2 if level == 1 else 3)
    counts = [draw.integer(2, 9) for _ in colours]
    total, wanted = sum(counts), counts[0]
    told = ", ".join(f"${count}$ {colour}" for count, colour in zip(counts, colours, strict=True))
    told = f"A bag holds balls: {told}."
    value, way = Fraction(wanted, total), f"\\frac{{{wanted}}}{{{total}}}"
    if level < 3:
        asked = f"One ball is drawn at random. What is the probability that it is {colours[0]}?"
    else:
        asked = (
            f"Two balls are drawn at random. What is the probability that both are {colours[0]}?"
        )
        value *= Fraction(wanted - 1, total - 1)
        way += f" \\cdot \\frac{{{wanted - 1}}}{{{total - 1}}}"
    return Problem(
        f"{told} {asked}",
        f"The probability is ${way}$. In lowest terms this is $\\boxed{{{number(value)}}}$.",
        {"counts": counts, "drawn": 1 if level < 3 else 2},
        "Counting & Probability",
    )


def complex_numbers(draw: Draw, level: int) -> Problem:
    """A sum, a difference or a product of complex numbers."""
    (a, b), (c, d) = ((draw.signed(9), draw.signed(9)) for _ in range(2))
    sign = ("+", "-", "")[level - 1]
    asked = f"({complex_number(a, b)}){f' {sign} ' if sign else ''}({complex_number(c, d)})"
    if sign:
        turn = 1 if sign == "+" else -1
        real, imaginary = a + turn * c, b + turn * d
        rule = "Real and imaginary parts are taken apart"
    else:
        real, imaginary = a * c - b * d, a * d + b * c
        rule = "Multiplying out with $i^2 = -1$"
    return Problem(
        f"Compute ${asked}$.",
        f"{rule}: ${asked} = \\boxed{{{complex_number(real, imaginary)}}}$.",
        {"one": [a, b], "sign": sign or "*", "two": [c, d]},
        "Intermediate Algebra",
    )


def percentage(draw: Draw, level: int) -> Problem:
    """What percentage one number is of another."""
    below = draw.one_of(((2, 4, 5, 10), (20, 25, 50), (8, 40, 16))[level - 1])
    top = draw.integer(1, below - 1)
    factor = draw.integer(2, 9)
    part, whole = top * factor, below * factor
    value = Fraction(100 * part, whole)
    # Denominators are powers of 2, so the decimals end.
    text = str(value.numerator) if value.denominator == 1 else str(float(value))
    return Problem(
        f"What percent of ${whole}$ is ${part}$?",
        f"$\\frac{{{part}}}{{{whole}}} = {number(value / 100)}$, which is $\\boxed{{{text}\\%}}$.",
        {"part": part, "whole": whole},
        "Prealgebra",
    )


TEMPLATES: Mapping[str, Template] = {
    "linear": algebra.linear,
    "fractions": algebra.fractions,
    "expand": algebra.expand,
    "evaluation": algebra.evaluation,
    "quadratic": algebra.quadratic,
    "system": algebra.system,
    "inequality": algebra.inequality,
    "sequence": sequence,
    "circle": circle,
    "distance": distance,
    "chance": chance,
    "complex": complex_numbers,
    "percentage": percentage,
}
