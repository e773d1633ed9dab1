"""Answers that are formulas: whether two texts have the same value.

``compare`` decides in a limited worker process, which is killed when it takes too long. No text is
ever evaluated as code: an own grammar, or a LaTeX grammar of another package, builds expressions.
"""

from versus.grading.symbolic.comparing import Compared, compare, timeouts
from versus.grading.symbolic.parsers import PARSERS, versions

__all__ = ["PARSERS", "Compared", "compare", "timeouts", "versions"]
