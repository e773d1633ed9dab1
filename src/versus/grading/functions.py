"""Names of functions and letters in formulas."""

import math
from collections.abc import Callable

FORMULAS: dict[str, Callable[..., float]] = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "cot": lambda x: 1 / math.tan(x),
    "sec": lambda x: 1 / math.cos(x),
    "csc": lambda x: 1 / math.sin(x),
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "log": math.log10,
    "lg": math.log10,
    "ln": math.log,
    "exp": math.exp,
}
"""Functions that need no brackets, for real numbers."""
_LETTER_NAMES = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta kappa lambda mu nu xi rho "
    "sigma tau phi varphi chi psi omega Delta Gamma Omega infty ell triangle angle"
)
LETTERS = frozenset(f"\\{name}" for name in _LETTER_NAMES.split())
"""Commands that stand for a variable."""
