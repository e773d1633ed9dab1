"""Rewrites and near misses of numbers."""

import random
import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

_UNITS = {"cm": "centimeters", "feet": "ft", "inches": "in", "miles": "mi", "hours": "hr"}


def same_integer(gold: str, chance: random.Random) -> Iterator[str]:
    """Other forms of an integer."""
    n, factor = int(gold), chance.randint(2, 9)
    yield f"{n}.0"
    yield f"\\frac{{{n * factor}}}{{{factor}}}"
    yield f"{n * factor}/{factor}"
    yield f"${n}$"
    yield gold.replace("-", "−")
    yield f"x = {n}"
    yield f"\\mathbf{{{n}}}"
    yield f"**{n}**"
    yield f"{n}\\text{{ units}}"
    if abs(n) >= 1000:
        yield f"{n:,}"
        yield f"{n:,}".replace(",", "{,}")
    if n and n % 1000 == 0:
        yield f"{n // 1000} \\times 10^3"


def other_integer(gold: str, chance: random.Random) -> Iterator[str]:
    """Integers and decimals near by."""
    n = int(gold)
    yield str(n + chance.choice([-1, 1]))
    yield f"{n}.{chance.randint(1, 9)}"
    if n:
        yield str(-n)
        yield str(10 * n)
        yield f"{n}x"
        yield f"\\frac{{{n}}}{{{abs(n) + 1}}}"
    yield f"{n}, {n + 1}"
    yield f"x = {n + 1}"
    if abs(n) > 99:
        yield f"{n + 1000:,}"
        yield f"{str(n)[:-2]},{str(n)[-2:]}"


def same_fraction(gold: str, chance: random.Random) -> Iterator[str]:
    """Other forms of a fraction."""
    value, factor = _fraction(gold), chance.randint(2, 9)
    sign, p, q = "-" if value < 0 else "", abs(value.numerator), value.denominator
    yield f"{sign}{p}/{q}"
    yield f"{sign}\\dfrac{{{p}}}{{{q}}}"
    yield f"{sign}\\frac{{{p * factor}}}{{{q * factor}}}"
    yield f"\\left({sign}\\frac{{{p}}}{{{q}}}\\right)"
    if sign:
        yield f"\\frac{{-{p}}}{{{q}}}"
        yield f"\\frac{{{p}}}{{-{q}}}"
    if p > q > 1:
        yield f"{sign}{p // q}\\frac{{{p % q}}}{{{q}}}"
        yield f"{sign}{p // q} {p % q}/{q}"
    if p < 10 and q < 10:
        yield f"{sign}\\frac{p}{q}"
    decimals, block = _expansion(p % q, q)
    if len(decimals) + len(block) <= 8:
        overline = f"\\overline{{{block}}}" if block else ""
        yield f"{sign}{p // q}.{decimals}{overline}"


def other_fraction(gold: str, chance: random.Random) -> Iterator[str]:
    """Fractions near by, and roundings."""
    value = _fraction(gold)
    p, q = value.numerator, value.denominator
    yield f"\\frac{{{p + 1}}}{{{q}}}"
    yield f"\\frac{{{p}}}{{{q + 1}}}"
    yield f"{-p}/{q}"
    yield str(p)
    if abs(p) != q:
        yield f"\\frac{{{q}}}{{{p}}}"
    for digits in (2, 4, 7):
        rounded = f"{float(value):.{digits}f}"
        if Fraction(rounded) != value:
            yield rounded
    if p > q > 1:
        yield f"\\frac{{{p % q}}}{{{q}}}"


def same_decimal(gold: str, chance: random.Random) -> Iterator[str]:
    """Other forms of a decimal."""
    value = Fraction(gold)
    yield f"{gold}0"
    yield f"{value.numerator}/{value.denominator}"
    yield f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    yield re.sub(r"^(-?)0?\.", r"\1.", gold)
    yield re.sub(r"^(-?)\.", r"\g<1>0.", gold)
    yield f"{gold}\\text{{ units}}"


def other_decimal(gold: str, chance: random.Random) -> Iterator[str]:
    """Decimals near by."""
    value, last = Fraction(gold), Fraction(1, 10 ** len(gold.partition(".")[2]))
    for near in (value + last, value - last, value * 10, value / 10, -value):
        if near != value:
            yield _plain(near)
    yield f"{gold}{chance.randint(1, 9)}"
    yield f"{gold}{'0' * 6}1"


def same_thousands(gold: str, chance: random.Random) -> Iterator[str]:
    """Other ways to separate thousands."""
    n = int(re.sub(r"\D", "", gold)) * (-1 if gold.startswith("-") else 1)
    yield from (str(n), f"{n:,}", f"{n:,}".replace(",", ",\\!"), f"{n:,}".replace(",", "{,}"))
    yield f"{n}.00"
    yield f"${n:,}$"


def other_thousands(gold: str, chance: random.Random) -> Iterator[str]:
    """Numbers with another digit, or cut at the separator."""
    n = int(re.sub(r"\D", "", gold))
    digits = str(n)
    place = chance.randrange(len(digits))
    yield f"{int(digits[:place] + str((int(digits[place]) + 1) % 10) + digits[place + 1 :]):,}"
    yield digits[:-3]
    yield digits[:-3] + "." + digits[-3:] + "5"
    yield f"{n + 1000:,}"
    yield f"{n * 10}"


def same_mixed(gold: str, chance: random.Random) -> Iterator[str]:
    """Other forms of a mixed number."""
    whole, p, q = _mixed(gold)
    yield f"\\frac{{{whole * q + p}}}{{{q}}}"
    yield f"{whole * q + p}/{q}"
    yield f"{whole} {p}/{q}"
    yield f"{whole} + \\frac{{{p}}}{{{q}}}"


def other_mixed(gold: str, chance: random.Random) -> Iterator[str]:
    """The product, a part, or a neighbour."""
    whole, p, q = _mixed(gold)
    yield f"\\frac{{{whole * p}}}{{{q}}}"
    yield f"\\frac{{{p}}}{{{q}}}"
    yield str(whole)
    yield f"{whole + 1}\\frac{{{p}}}{{{q}}}"
    if whole * 10 + p != whole * q + p:
        yield f"{whole}{p}/{q}"


def same_money(gold: str, chance: random.Random) -> Iterator[str]:
    """An amount without its sign, or with the unit in words."""
    amount = gold.replace("\\$", "").strip()
    yield from (amount, f"\\$ {amount}", f"{amount}\\text{{ dollars}}", f"${amount}")
    if "." not in amount:
        yield f"\\${amount}.00"


def other_money(gold: str, chance: random.Random) -> Iterator[str]:
    """Another amount or currency."""
    amount = gold.replace("\\$", "").strip()
    yield f"\\${Fraction(amount) + 1}" if "." not in amount else f"\\${amount}5"
    yield f"{amount}\\text{{ cents}}"
    yield f"{amount}\\text{{ euros}}"
    yield f"\\${amount}0" if "." not in amount else f"\\$1{amount}"


def same_percent(gold: str, chance: random.Random) -> Iterator[str]:
    """A percentage without its sign, or with it in other forms."""
    number = gold.replace("\\%", "").strip()
    yield from (number, f"{number}%", f"{number} \\%", f"{number}\\text{{ percent}}")


def other_percent(gold: str, chance: random.Random) -> Iterator[str]:
    """Another percentage, and one that lost its place."""
    number = gold.replace("\\%", "").strip()
    yield f"{_plain(Fraction(number) + 1)}\\%"
    yield f"{_plain(Fraction(number) * 100)}\\%"
    yield f"{_plain(Fraction(number) / 100)}\\%"


def same_degrees(gold: str, chance: random.Random) -> Iterator[str]:
    """An angle without its sign, or with it in other forms."""
    number = re.sub(r"\s?\^.*", "", gold)
    yield from (number, f"{number}^\\circ", f"{number}^{{\\circ}}", f"{number}°")
    yield f"{number}\\text{{ degrees}}"
    yield f"{number} degrees"


def other_degrees(gold: str, chance: random.Random) -> Iterator[str]:
    """Another angle."""
    number = re.sub(r"\s?\^.*", "", gold)
    yield f"{_plain(Fraction(number) + 1)}^\\circ"
    yield f"{_plain(-Fraction(number) or Fraction(1))}^\\circ"
    yield f"{number}\\text{{ radians}}"


def same_unit(gold: str, chance: random.Random) -> Iterator[str]:
    """A quantity without its unit, or with it in other forms."""
    number, unit = _quantity(gold)
    yield from (
        number,
        f"{number} {unit}",
        f"{number}\\ \\text{{{unit}}}",
        f"{number}\\mbox{{ {unit}}}",
    )
    if unit in _UNITS:
        yield f"{number}\\text{{ {_UNITS[unit]}}}"


def other_unit(gold: str, chance: random.Random) -> Iterator[str]:
    """Another number, or another unit."""
    number, unit = _quantity(gold)
    yield f"{_plain(Fraction(number) + 1)}\\text{{ {unit}}}"
    yield f"{number}\\text{{ {'kilograms' if unit != 'kilograms' else 'seconds'}}}"
    yield f"{_plain(Fraction(number) * 10)}"


def same_base(gold: str, chance: random.Random) -> Iterator[str]:
    """The base in braces or not."""
    digits, base = _based(gold)
    yield from (f"{digits}_{{{base}}}", f"${digits}_{{{base}}}$", f"{digits}_{{\\text{{{base}}}}}")


def other_base(gold: str, chance: random.Random) -> Iterator[str]:
    """Another base or digit."""
    digits, base = _based(gold)
    yield f"{digits}_{{{int(base) + 1}}}"
    yield f"{digits[:-1]}{(int(digits[-1]) + 1) % 10}_{{{base}}}"
    yield f"{digits}0_{{{base}}}"


def _fraction(gold: str) -> Fraction:
    upper, lower = (int(number) for number in re.findall(r"\d+", gold))
    return Fraction(upper, lower) * (-1 if gold.startswith("-") else 1)


def _mixed(gold: str) -> tuple[int, int, int]:
    whole, upper, lower = (int(number) for number in re.findall(r"\d+", gold))
    return whole, upper, lower


def _quantity(gold: str) -> tuple[str, str]:
    found = re.match(r"[\d.]+", gold)
    unit = re.search(r"\{\s?([a-z]+)", gold)
    if found is None or unit is None:
        raise ValueError(f"no quantity: {gold}")
    return found[0], unit[1]


def _based(gold: str) -> tuple[str, str]:
    digits, _, base = gold.partition("_")
    return digits, base.strip("{}")


def _plain(value: Fraction) -> str:
    """A decimal with all of its digits."""
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    return f"{Decimal(int(value * 10**digits)).scaleb(-digits):f}"


def _expansion(p: int, q: int) -> tuple[str, str]:
    """The decimals of ``p / q`` below 1: those before the period, and the period."""
    digits, seen = "", dict[int, int]()
    while p and p not in seen and len(digits) < 20:
        seen[p] = len(digits)
        digits += str(10 * p // q)
        p = 10 * p % q
    start = seen.get(p, len(digits)) if p else len(digits)
    return digits[:start], digits[start:]
