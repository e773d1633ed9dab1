"""Whether two readings say the same."""

from typing import Any

import sympy

from versus.grading.symbolic import numerics
from versus.grading.symbolic.refusals import RefusedError
from versus.grading.symbolic.statements import Branch, Claim

_MOST_OPERATIONS = 120  # of an expression that is expanded as a proof
_LARGEST_POWER = 12


def same(one: list[Branch], other: list[Branch]) -> bool:
    """Whether every branch of one is a branch of the other.

    Raises:
        RefusedError: if an equation says nothing, as 0 = 0, or nothing can be found out.
    """
    return _covers(one, other) and _covers(other, one)


def _covers(ones: list[Branch], others: list[Branch]) -> bool:
    return all(any(_same_branch(one, other) for other in others) for one in ones)


def _same_branch(one: Branch, other: Branch) -> bool:
    if len(one) != len(other):
        return False
    left = list(other)
    for claim in one:
        match = next((known for known in left if _same_claim(claim, known)), None)
        if match is None:
            return False
        left.remove(match)
    return True


def _same_claim(one: Claim, other: Claim) -> bool:
    if one.relation == other.relation == "":
        return same_value(one.left, other.left)
    if not one.relation or not other.relation:
        equation, bare = (one, other) if one.relation else (other, one)
        named = _named_value(equation)
        return named is not None and same_value(named, bare.left)
    return one.relation == other.relation and _same_relation(one, other)


def _named_value(claim: Claim) -> Any | None:
    """What a lone symbol is set equal to: ``y = 2x + 3`` may be answered by ``2x + 3``."""
    if claim.relation == "=":
        for name, rest in ((claim.left, claim.right), (claim.right, claim.left)):
            if name.is_Symbol and name not in rest.free_symbols:
                return rest
    return None


def _same_relation(one: Claim, other: Claim) -> bool:
    if same_value(one.left, other.left) and same_value(one.right, other.right):
        return True
    first, second = one.left - one.right, other.left - other.right
    if one.relation == "=":
        first, second = (sympy.fraction(sympy.together(side))[0] for side in (first, second))
    return _proportional(first, second, positive=one.relation in ("<", "<="))


def _proportional(one: Any, other: Any, positive: bool) -> bool:
    """Whether the two differ by a constant factor, of any sign or a positive one."""
    if not one.free_symbols or not other.free_symbols:
        return False
    pairs = _enough(one, other)
    if any((first == 0) != (second == 0) for first, second in pairs):
        return False
    ratios = [numerics.ratio(first, second) for first, second in pairs if second != 0]
    fits = bool(ratios) and all(numerics.close(ratios[0], found) for found in ratios)
    return fits and (not positive or ratios[0].real > 0)


def _enough(one: Any, other: Any) -> list[numerics.Pair]:
    for sample in numerics.samples(one, other):
        pairs = list(sample)
        if len(pairs) >= numerics.ENOUGH_POINTS:
            return pairs
    raise RefusedError("too few points where both have a value")


def same_value(one: Any, other: Any) -> bool:
    """Whether two expressions, or matrices, have the same value.

    Raises:
        RefusedError: if too few points are found where both have a value.
    """
    if one.is_Matrix or other.is_Matrix:
        return _same_matrix(one, other)
    if one == other:
        return True
    if one.is_Rational and other.is_Rational:
        return False
    if sympy.oo in (one, other) or -sympy.oo in (one, other):
        return False
    if not one.free_symbols and not other.free_symbols:
        return _same_constant(one, other)
    return _same_expanded(one, other) or _same_everywhere(one, other)


def _same_matrix(one: Any, other: Any) -> bool:
    if not (one.is_Matrix and other.is_Matrix) or one.shape != other.shape:
        return False
    return all(map(same_value, one, other))


def _same_constant(one: Any, other: Any) -> bool:
    digits = numerics.constant_digits(one, other)
    first, second = (numerics.value(side, {}, digits) for side in (one, other))
    if first is None or second is None:
        raise RefusedError("a constant without a finite value")
    return numerics.close(first, second, digits)


def _same_expanded(one: Any, other: Any) -> bool:
    """Proof by expanding, where that is quick."""
    difference = one - other
    powers = (power.exp for power in difference.atoms(sympy.Pow))
    quick = sympy.count_ops(difference) <= _MOST_OPERATIONS and all(
        not exponent.is_Integer or abs(exponent) <= _LARGEST_POWER for exponent in powers
    )
    return bool(quick and sympy.expand(difference) == 0)


def _same_everywhere(one: Any, other: Any) -> bool:
    """Agreement to many digits at many points, which two different answers never reach."""
    for sample in numerics.samples(one, other):
        agreed = 0
        for first, second in sample:
            if not numerics.close(first, second):
                return False
            agreed += 1
        if agreed >= numerics.ENOUGH_POINTS:
            return True
    raise RefusedError("too few points where both have a value")
