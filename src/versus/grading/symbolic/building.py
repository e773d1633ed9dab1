"""A tree to a sympy expression, by calls of listed functions alone."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import sympy

from versus.grading.symbolic.refusals import RefusedError
from versus.grading.symbolic.tokens import TRIGONOMETRIC
from versus.grading.symbolic.trees import Node

CONSTANTS: dict[str, Any] = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "oo": sympy.oo}


def _root(inside: Any, index: Any) -> Any:
    """The real root where there is one, as school has it: the cube root of -8 is -2."""
    if inside.is_negative and index.is_Integer and index % 2:
        return -((-inside) ** (1 / index))
    return inside ** (1 / index)


_BUILDERS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "pow": lambda a, b: a**b,
    "sqrt": sympy.sqrt,
    "cbrt": lambda a: _root(a, sympy.Integer(3)),
    "root": _root,
    "factorial": sympy.factorial,
    "binom": sympy.binomial,
    "abs": sympy.Abs,
    "floor": sympy.floor,
    "ceil": sympy.ceiling,
    "exp": sympy.exp,
    "ln": sympy.log,
    "log": sympy.log,
    "gcd": lambda *args: sympy.gcd(args),
    "lcm": lambda *args: sympy.lcm(args),
    "max": sympy.Max,
    "min": sympy.Min,
} | {name: getattr(sympy, name) for base in TRIGONOMETRIC for name in (base, f"a{base}")}
_OF_ANGLES = frozenset(TRIGONOMETRIC)


def symbol(name: str) -> Any:
    """The real symbol of this name."""
    return sympy.Symbol(name, real=True)


def build(node: Node, angle: bool = False) -> Any:
    """The sympy expression of ``node``.

    Args:
        node: a tree that has passed the bounds.
        angle: whether it is the argument of a trigonometric function. Only there does a degree
            sign change the value; elsewhere it may be omitted like a unit.

    Raises:
        RefusedError: if a division by zero leaves no value.
    """
    if node.op == "number":
        number = Fraction(node.text)
        return sympy.Rational(number.numerator, number.denominator)
    if node.op == "symbol":
        return symbol(node.text)
    if node.op == "constant":
        return CONSTANTS[node.text]
    angle = angle or node.op in _OF_ANGLES
    args = [build(argument, angle) for argument in node.args]
    if node.op == "degree":
        return args[0] * sympy.pi / 180 if angle else args[0]
    return defined(_BUILDERS[node.op](*args))


def defined(value: Any) -> Any:
    """``value``, if it is one.

    Raises:
        RefusedError: if it is not, as 1/0.
    """
    if value.has(sympy.nan, sympy.zoo):
        raise RefusedError("undefined, as a division by zero")
    return value
