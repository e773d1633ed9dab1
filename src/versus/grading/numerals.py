"""Written numerals as exact rationals."""

import re
from fractions import Fraction

from versus.grading.bounds import NUMERAL_DIGITS

_SIMPLE = re.compile(
    r"(?P<sign>[-+]?)\s?(?:\\?\$\s?)?(?P<sign2>-?)"
    r"(?:(?P<whole>\d{1,3}(?:(?:,|\{,\}|,\\!)\d{3})+|\d+)?(?P<decimals>\.\d*)?"
    r"|\\[dt]?frac\s?(?:\{(?P<upper>-?\d+)\}\{(?P<lower>\d+)\}|(?P<u>\d)(?P<l>\d))"
    r"|(?P<over>\d+)/(?P<under>\d+))"
)
_DECIMAL = re.compile(r"(\d*)(?:\.(\d*))?(?:\((\d+)\))?(?:[eE]([-+]?\d{1,4}))?")
_SEPARATORS = str.maketrans("", "", "{},\\!")
_EXPONENT = 4_000


def simple(text: str) -> Fraction | None:
    """The value of an integer, decimal, fraction or amount of dollars; None for anything else.

    Thousands may be separated. This is the quick way for what most answers are.
    """
    if len(text) > NUMERAL_DIGITS:
        return None
    found = _SIMPLE.fullmatch(text)
    if found is None:
        return None
    value = _magnitude(found)
    if value is None or (found["sign"] and found["sign2"]):
        return None
    return -value if found["sign"] == "-" or found["sign2"] else value


def _magnitude(found: re.Match[str]) -> Fraction | None:
    upper = found["upper"] or found["u"] or found["over"]
    if upper is not None:
        lower = int(found["lower"] or found["l"] or found["under"])
        return Fraction(int(upper), lower) if lower else None
    whole, decimals = found["whole"] or "", (found["decimals"] or "")[1:]
    if not whole and not decimals:
        return None
    digits = whole.translate(_SEPARATORS) + decimals
    return Fraction(int(digits), 10 ** len(decimals))


def decimal(text: str, repeating: str = "") -> Fraction | None:
    """The value of digits with a point, repeating digits and an exponent; None if too large.

    ``0.(3)`` and ``0.333...`` repeat, as do the digits ``repeating`` that follow the text.
    """
    if text.endswith("..."):
        text = text[:-3]
        repeating = _block(text.partition(".")[2])
    found = _DECIMAL.fullmatch(text)
    if found is None or len(text) + len(repeating) > NUMERAL_DIGITS:
        return None
    whole, decimals, block, exponent = (part or "" for part in found.groups())
    block = block or repeating
    if abs(int(exponent or 0)) > _EXPONENT or not (whole or decimals or block):
        return None
    value = Fraction(int(whole + decimals or 0), 10 ** len(decimals))
    if block:
        value += Fraction(int(block), (10 ** len(block) - 1) * 10 ** len(decimals))
    return value * Fraction(10) ** int(exponent or 0)


def _block(decimals: str) -> str:
    """The shortest digits that end ``decimals`` twice, or three times if it is one digit."""
    for length in range(1, len(decimals) // 2 + 1):
        block = decimals[-length:]
        if decimals.endswith(block * (3 if length == 1 else 2)):
            return block
    return ""
