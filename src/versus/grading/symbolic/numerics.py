"""Values of sympy expressions at chosen points, to many digits.

Points are drawn from the symbols' names, so every process draws the same ones.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import mpmath
import sympy

DIGITS = 60
"""What an expression with symbols is evaluated to at each point."""
POINTS = 15
ENOUGH_POINTS = 4

_SPARE = 15  # digits that rounding may spoil
_DIGITS_OF_CONSTANT = 120
_MOST_DIGITS = 6000

Point = Mapping[Any, Any]
Pair = tuple[Any, Any]
_KINDS: tuple[Callable[[random.Random], Any], ...] = (
    lambda source: sympy.Rational(source.randint(1, 96), 97),
    lambda source: sympy.Rational(source.choice((-1, 1)) * source.randint(10, 400), 89),
    lambda source: sympy.Integer(source.randint(1, 9)),
    lambda source: sympy.Rational(source.randint(100, 100_000), 83),
    lambda source: sympy.Integer(source.choice((-1, 1)) * source.randint(1, 12)),
)


def points(symbols: Iterable[Any]) -> Iterator[Point]:
    """Fractions and integers, small and large, of one sign and of both, in turn."""
    names = sorted(symbols, key=str)
    for number in range(POINTS):
        draw = _KINDS[number % len(_KINDS)]
        yield {name: draw(random.Random(f"{number} {name}")) for name in names}


def constant_digits(*expressions: Any) -> int:
    """How many digits two constants with numbers of this length are compared to.

    Constants of short numbers are never almost equal; 1/2004! and 1/2006! are.
    """
    atoms = (atom for expression in expressions for atom in expression.atoms(sympy.Rational))
    longest = max((atom.p.bit_length() + atom.q.bit_length() for atom in atoms), default=0)
    return min(_DIGITS_OF_CONSTANT + 2 * longest // 3, _MOST_DIGITS)


def value(expression: Any, point: Point, digits: int = DIGITS) -> Any | None:
    """The complex value, or ``None`` where there is none."""
    number = _evaluate(expression, point, digits)
    if number is None or abs(number) > mpmath.mpf(10) ** (-digits // 2):
        return number
    # Digits that cancel leave noise, which shrinks with more digits; a small value does not.
    finer = _evaluate(expression, point, 2 * digits)
    if finer is None or abs(finer) * mpmath.mpf(10) ** (digits // 2) < abs(number):
        return mpmath.mpc(0)
    return finer


def _evaluate(expression: Any, point: Point, digits: int) -> Any | None:
    found = expression.evalf(digits, subs=dict(point), maxn=3 * digits)
    real, imaginary = found.as_real_imag()
    if not (real.is_Number and imaginary.is_Number and real.is_finite and imaginary.is_finite):
        return None
    with mpmath.workdps(digits):
        return mpmath.mpc(mpmath.mpmathify(real), mpmath.mpmathify(imaginary))


def close(one: Any, other: Any, digits: int = DIGITS) -> bool:
    """Whether two values agree in all digits but the last few."""
    with mpmath.workdps(digits):
        limit = mpmath.mpf(10) ** (_SPARE - digits) * max(abs(one), abs(other))
        return bool(abs(one - other) <= limit)


def ratio(one: Any, other: Any) -> Any:
    """Their quotient to all digits."""
    with mpmath.workdps(DIGITS):
        return one / other


def samples(one: Any, other: Any) -> Iterator[Iterator[Pair]]:
    """Values of both at the points where both are defined: first real ones, then complex ones.

    Real expressions are compared where they are real: the square root of x says nothing at -1.
    Only where that gives too few points do complex values count.
    """
    symbols = one.free_symbols | other.free_symbols
    if not (one.has(sympy.I) or other.has(sympy.I)):
        yield _values(one, other, symbols, _real_value)
    yield _values(one, other, symbols, _complex_value)


def _values(
    one: Any, other: Any, symbols: Iterable[Any], evaluate: Callable[[Any, Point], Any | None]
) -> Iterator[Pair]:
    for point in points(symbols):
        first = evaluate(one, point)
        second = None if first is None else evaluate(other, point)
        if second is not None:
            yield first, second


def _real_value(expression: Any, point: Point) -> Any | None:
    number = value(expression, point) if _is_defined(expression, point, real=True) else None
    return number if number is not None and close(number, number.real) else None


def _complex_value(expression: Any, point: Point) -> Any | None:
    return value(expression, point) if _is_defined(expression, point, real=False) else None


def _is_defined(expression: Any, point: Point, real: bool) -> bool:
    """No division by zero, which ``evalf`` may overlook, and real roots and logarithms."""
    for part in expression.atoms(sympy.Pow, sympy.log):
        inside, whole = part.args[0], part.is_Pow and part.exp.is_Integer
        if inside.free_symbols and not (whole and part.exp > 0):
            number = value(inside, point)
            if not number or (real and not whole and number.real < 0):
                return False
    return True
