"""Terms of the normal form: products of powers of atoms, and sums of them."""

import cmath
import math
from collections.abc import Iterator
from fractions import Fraction

ROOT, UNIT, SYMBOL, FUNCTION = range(4)

Samples = tuple[float, float]
Atom = tuple[int, int | str, Samples]
"""Kind, name (a prime for a root) and its value at both sample points."""
Term = tuple[tuple[Atom, Fraction], ...]
Sum = dict[Term, Fraction]
"""Terms with their rational factors."""

ONE: Term = ()
PRIMES = tuple(n for n in range(2, 1000) if all(n % d for d in range(2, math.isqrt(n) + 1)))
_CLOSE = 1e-7


def times(a: Term, b: Term) -> tuple[Fraction, Term]:
    """The product of two terms: a rational factor and a term."""
    if not a or not b:
        return Fraction(1), a or b
    exponents = dict(a)
    for atom, exponent in b:
        exponents[atom] = exponents.get(atom, Fraction(0)) + exponent
    factor = Fraction(1)
    for atom, exponent in list(exponents.items()):
        if atom[0] == ROOT and exponent >= 1:
            factor *= int(atom[1])
            exponents[atom] = exponent - 1
        elif atom[0] == UNIT and exponent == 2:
            factor = -factor
            exponents[atom] = Fraction(0)
    return factor, tuple(sorted((atom, e) for atom, e in exponents.items() if e))


def written(a: Sum, scale: Fraction) -> str:
    """The sum divided by ``scale``, the same text however it was made."""
    parts = []
    for term, factor in sorted(a.items()):
        share = factor / scale
        # Python refuses to write long numbers with decimal digits.
        parts.append(f"{share.numerator:x}/{share.denominator:x}")
        parts += [f"*{atom[1]}^{exponent}" for atom, exponent in term]
    return " ".join(parts)


def values(a: Sum, point: int) -> Iterator[complex]:
    """The values of the terms at a sample point."""
    for term, factor in a.items():
        value = complex(factor)
        for atom, exponent in term:
            value *= 1j if atom[0] == UNIT else atom[2][point] ** float(exponent)
        yield value


def certainly_nonzero(a: Sum, point: int) -> bool:
    """Whether a sum is certainly not zero at a sample point."""
    try:
        terms = list(values(a, point))
    except OverflowError:
        return False
    total, scale = abs(sum(terms)), sum(map(abs, terms))
    return cmath.isfinite(scale) and total > _CLOSE * scale > 0
