"""The kinds of MATH golds, with what rewrites and near misses each has."""

import random
import re
from collections.abc import Callable, Iterator

from tests.unit.grading.labelled import numbers, shapes, terms

Rewrites = Callable[[str, random.Random], Iterator[str]]

KINDS: dict[str, tuple[Rewrites, Rewrites]] = {
    "integer": (numbers.same_integer, numbers.other_integer),
    "fraction": (numbers.same_fraction, numbers.other_fraction),
    "decimal": (numbers.same_decimal, numbers.other_decimal),
    "thousands": (numbers.same_thousands, numbers.other_thousands),
    "mixed number": (numbers.same_mixed, numbers.other_mixed),
    "money": (numbers.same_money, numbers.other_money),
    "percent": (numbers.same_percent, numbers.other_percent),
    "degrees": (numbers.same_degrees, numbers.other_degrees),
    "unit": (numbers.same_unit, numbers.other_unit),
    "base": (numbers.same_base, numbers.other_base),
    "root": (terms.same_root, terms.other_root),
    "pi": (terms.same_pi, terms.other_pi),
    "complex": (terms.same_sum, terms.other_complex),
    "expression": (terms.same_sum, terms.other_sum),
    "equation": (terms.same_equation, terms.other_equation),
    "tuple": (shapes.same_tuple, shapes.other_tuple),
    "list": (shapes.same_list, shapes.other_list),
    "interval": (shapes.same_interval, shapes.other_interval),
    "matrix": (shapes.same_matrix, shapes.other_matrix),
    "text": (shapes.same_text, shapes.other_text),
    "other": (lambda gold, chance: iter(()), lambda gold, chance: iter(())),
}

_INTEGER = r"-?\d+"
_FRACTION = r"-?\\[dt]?frac\{\d+\}\{\d+\}|-?\d+/\d+"
_NUMBER = rf"(?:{_INTEGER}|{_FRACTION}|-?\d+\.\d+)"
_ELEMENT = r"[^()\[\]{}=]|\{[^{}]*\}|\\[{}]?"
_PATTERNS = {
    "integer": _INTEGER,
    "fraction": _FRACTION,
    "decimal": r"-?\d*\.\d+",
    "thousands": r"-?\d{1,3}(?:(?:,|,\\!|\{,\})\d{3})+",
    "mixed number": r"\d+\s?\\[dt]?frac\{\d+\}\{\d+\}",
    "money": r"\\\$\s?\d+(?:\.\d+)?",
    "percent": r"-?\d+(?:\.\d+)?\s?\\%",
    "degrees": r"-?\d+(?:\.\d+)?\s?\^\{?\\circ\}?",
    "unit": r"\d+(?:\.\d+)?\s?(?:\\,|\\ |\\;)?\s?\\(?:text|mbox)\s?\{\s?[a-z]+\s?\}",
    "base": r"\d+_\{?\d+\}?",
    "root": r"-?\d*\s?\\sqrt\{\d+\}",
    "pi": r"-?\d*\s?\\pi",
    "complex": r"-?\d+\s?[-+]\s?\d*i",
    "expression": r"-?\s?\d*[a-z](?:\^\{?\d+\}?)?(?:\s?[-+]\s?\d*(?:[a-z](?:\^\{?\d+\}?)?)?)+",
    "equation": r"[a-z]\s?=\s?[^=,]+|[^=,<>\\]+=\s?0",
    "tuple": rf"\((?:\s?{_NUMBER}\s?,)+\s?{_NUMBER}\s?\)",
    "list": rf"(?:{_NUMBER},\s?)+{_NUMBER}",
    "matrix": r"\\begin\{pmatrix\}[^a-z]*\\end\{pmatrix\}",
    "text": r"\\text\{\(?[A-Za-z]+\)?\}",
}
_INTERVAL = re.compile(
    r"[(\[][^()\[\]]*,[^()\[\]]*[)\]](?:\s?\\cup\s?[(\[][^()\[\]]*,[^()\[\]]*[)\]])*"
)


def kind_of(gold: str) -> str:
    """The first kind whose pattern the gold fits."""
    plain = gold.replace("\\left", "").replace("\\right", "")
    for kind, pattern in _PATTERNS.items():
        if re.fullmatch(pattern, plain):
            return kind
    is_interval = "\\infty" in plain or "[" in plain or "\\cup" in plain
    return "interval" if is_interval and _INTERVAL.fullmatch(plain) else "other"
