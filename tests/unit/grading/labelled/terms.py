"""Rewrites and near misses of sums, roots and equations."""

import math
import random
import re
from collections.abc import Iterator

_TERM = re.compile(r"([-+]?)\s?([^-+\s]+)")
_ROOT = re.compile(r"(-?)(\d*)\s?\\sqrt\{(\d+)\}")


def same_root(gold: str, chance: random.Random) -> Iterator[str]:
    """Other forms of a multiple of a root."""
    sign, factor, radicand = _root(gold)
    yield f"{sign}\\sqrt{{{factor**2 * radicand}}}"
    yield f"{sign}{factor}\\cdot\\sqrt{{{radicand}}}"
    yield f"{sign}{factor}*sqrt({radicand})"
    yield f"{sign}{factor}√{radicand}"
    yield f"\\frac{{{sign}{factor * radicand}}}{{\\sqrt{{{radicand}}}}}"
    yield f"{sign}\\frac{{{2 * factor}\\sqrt{{{radicand}}}}}{{2}}"


def other_root(gold: str, chance: random.Random) -> Iterator[str]:
    """A neighbour, the square, a rounding."""
    sign, factor, radicand = _root(gold)
    yield f"{sign}{factor}\\sqrt{{{radicand + 1}}}"
    yield f"{sign}{factor + 1}\\sqrt{{{radicand}}}"
    yield f"{'' if sign else '-'}{factor}\\sqrt{{{radicand}}}"
    if math.isqrt(radicand) ** 2 != radicand:
        yield f"{sign}{factor * radicand}"
        yield f"{sign}{factor * math.sqrt(radicand):.4f}"
        yield f"{sign}{factor * math.sqrt(radicand):.12f}"


def same_pi(gold: str, chance: random.Random) -> Iterator[str]:
    """Other forms of a multiple of pi."""
    factor = _multiple(gold)
    yield f"{factor}π"
    yield f"{factor}*pi"
    yield f"\\pi \\cdot {factor}" if factor > 0 else f"-\\pi \\cdot {-factor}"
    yield f"\\frac{{{3 * factor}\\pi}}{{3}}"
    yield f"{factor} \\pi\\text{{ square units}}"


def other_pi(gold: str, chance: random.Random) -> Iterator[str]:
    """A neighbour, another power, a rounding."""
    factor = _multiple(gold)
    yield f"{factor + 1 or 2}\\pi"
    yield f"{-factor}\\pi"
    yield str(factor)
    yield f"{factor}\\pi^2"
    yield f"{factor * math.pi:.2f}"
    yield f"{factor * math.pi:.13f}"


def same_sum(gold: str, chance: random.Random) -> Iterator[str]:
    """The terms in other order, with other signs of multiplication, or split."""
    terms = _terms(gold)
    shuffled = terms.copy()
    chance.shuffle(shuffled)
    yield _joined(shuffled)
    yield _joined(terms).replace("+", " + ").replace("-", " - ").strip()
    yield f"\\left({_joined(terms)}\\right)"
    yield re.sub(r"(\d)([a-z])", r"\1 \\cdot \2", _joined(terms))
    yield re.sub(r"(\d)([a-z])", r"\1*\2", _joined(terms)).replace("^{", "**(").replace("}", ")")
    yield f"-({_joined([(_flipped(sign), body) for sign, body in terms])})"
    yield f"\\frac{{2({_joined(terms)})}}{{2}}"


def other_sum(gold: str, chance: random.Random) -> Iterator[str]:
    """One term changed, left out or added."""
    terms = _terms(gold)
    place = chance.randrange(len(terms))
    sign, body = terms[place]
    yield _joined([*terms[:place], (_flipped(sign), body), *terms[place + 1 :]])
    yield _joined([*terms[:place], *terms[place + 1 :]])
    yield _joined([*terms, ("+", "1")])
    yield f"2({_joined(terms)})"
    if not body.isdigit():
        larger = f"2{body}" if body[0].isalpha() else f"1{body}"
        yield _joined([*terms[:place], (sign, larger), *terms[place + 1 :]])
    yield f"{_joined(terms)} = 0"


def other_complex(gold: str, chance: random.Random) -> Iterator[str]:
    """The conjugate, the negative, a part, a neighbour."""
    real, imaginary = _terms(gold)
    yield _joined([real, (_flipped(imaginary[0]), imaginary[1])])
    yield _joined([(_flipped(real[0]), real[1]), imaginary])
    yield _joined([real])
    yield _joined([real, (imaginary[0], imaginary[1].replace("i", "") or "1")])
    yield _joined([real, imaginary, ("+", "1")])


def same_equation(gold: str, chance: random.Random) -> Iterator[str]:
    """The sides exchanged, or a factor on both."""
    left, right = (side.strip() for side in gold.split("="))
    yield f"{right} = {left}"
    yield f"{left}={right}"
    yield f"2({left}) = 2({right})"
    yield f"{left} - ({right}) = 0"
    if re.fullmatch(r"[a-z]", left):
        yield right


def other_equation(gold: str, chance: random.Random) -> Iterator[str]:
    """One side changed, or only half of the equation."""
    left, right = (side.strip() for side in gold.split("="))
    yield f"{left} = {right} + 1"
    yield f"{left} + 2 = {right}"
    if re.fullmatch(r"[a-z]", left):
        yield f"{'q' if left != 'q' else 'r'} = {right}"
        yield f"{right} + 1"
    else:
        yield left


def _root(gold: str) -> tuple[str, int, int]:
    found = _ROOT.fullmatch(gold)
    if found is None:
        raise ValueError(f"no root: {gold}")
    return found[1], int(found[2] or 1), int(found[3])


def _multiple(gold: str) -> int:
    number = gold.replace("\\pi", "").strip()
    return int(f"{number}1" if number in ("", "-") else number)


def _terms(gold: str) -> list[tuple[str, str]]:
    return [(sign or "+", body) for sign, body in _TERM.findall(gold)]


def _joined(terms: list[tuple[str, str]]) -> str:
    return "".join(sign + body for sign, body in terms).removeprefix("+") or "0"


def _flipped(sign: str) -> str:
    return "-" if sign == "+" else "+"
