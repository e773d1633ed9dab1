"""Numbers and polynomials as LaTeX."""

from collections.abc import Sequence
from fractions import Fraction


def number(value: Fraction | int) -> str:
    r"""``3``, ``-3`` or ``-\frac{3}{4}``."""
    value = Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def polynomial(coefficients: Sequence[int], variable: str = "x") -> str:
    """Coefficients, that of the highest power first, as ``2x^2 - x + 3``."""
    text = ""
    for power, factor in zip(range(len(coefficients) - 1, -1, -1), coefficients, strict=True):
        if factor:
            digits = "" if abs(factor) == 1 and power else str(abs(factor))
            letters = ("", variable)[power] if power < 2 else f"{variable}^{power}"
            sign = ("-" if factor < 0 else "") if not text else (" - " if factor < 0 else " + ")
            text += f"{sign}{digits}{letters}"
    return text or "0"


def root(square: int) -> str:
    r"""The square root of a positive number, as ``5``, ``\sqrt{2}`` or ``5\sqrt{2}``."""
    outside = next(k for k in range(square, 0, -1) if square % (k * k) == 0)
    inside = square // outside**2
    if inside == 1:
        return str(outside)
    return f"{'' if outside == 1 else outside}\\sqrt{{{inside}}}"


def complex_number(real: int, imaginary: int) -> str:
    """``2 - 3i``, ``i`` or ``4``."""
    if not real or not imaginary:
        return polynomial([imaginary, real], "i")
    rest = polynomial([abs(imaginary), 0], "i")
    return f"{real} {'-' if imaginary < 0 else '+'} {rest}"
