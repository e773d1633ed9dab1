"""Word problems in the manner of GSM8K: a story, its worked solution, and ``#### answer``."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from versus.experiments.reoac.data.generated.draws import Draw, Problem
from versus.experiments.reoac.data.generated.words import (
    CONTAINERS,
    GOODS,
    ITEMS,
    PEOPLE,
    VEHICLES,
)

OPERATIONS: Mapping[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
}


class Working:
    """A worked solution that is computed while it is written."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def step(self, sentence: str, left: int, sign: str, right: int) -> int:
        """Write ``left sign right`` and its value in place of the sentence's ``{}`` or ``${}``."""
        value = OPERATIONS[sign](left, right)
        if value < 0 or (sign == "/" and value * right != left):
            raise ArithmeticError(f"{left} {sign} {right} is no whole number of at least 0")
        unit = "$" if "${}" in sentence else ""
        sum_ = f"{left} {sign} {right} = {unit}<<{left}{sign}{right}={value}>>{value}"
        self._lines.append(sentence.replace(f"{unit}{{}}", sum_))
        return value

    def ending(self, answer: int) -> str:
        """The whole solution."""
        return "\n".join([*self._lines, f"#### {answer}"])


def size(draw: Draw, level: int) -> int:
    """A number of things: up to 9, 20 or 99."""
    low, high = ((2, 9), (3, 20), (10, 99))[level - 1]
    return draw.integer(low, high)


def collection(draw: Draw, level: int) -> Problem:
    """Things come and go, as often as the level says and once more."""
    (person, friend), items = draw.several(PEOPLE, 2), draw.one_of(ITEMS)
    start = now = size(draw, level) + 4
    told, working, events = [f"{person.name} has {start} {items}."], Working(), list[list[Any]]()
    for _ in range(level + 1):
        kind = draw.one_of(("buys", "gives", "bags") if now > 4 else ("buys", "bags"))
        count = draw.integer(2, now - 2) if kind == "gives" else size(draw, level)
        has = f"Then {person.name} has {{}} {items}."
        if kind == "buys":
            told.append(f"{person.name} buys {count} more {items}.")
            now = working.step(has, now, "+", count)
        elif kind == "gives":
            told.append(f"{person.name} gives {count} {items} to {friend.name}.")
            now = working.step(has, now, "-", count)
        else:
            each, holder = draw.integer(2, 6), draw.one_of(CONTAINERS)
            told.append(f"Then {person.they} gets {each} {holder} with {count} {items} in each.")
            more = working.step(f"The {holder} hold {{}} {items}.", each, "*", count)
            now = working.step(has, now, "+", more)
        events.append([kind, count, each] if kind == "bags" else [kind, count])
    told.append(f"How many {items} does {person.name} have now?")
    return Problem(" ".join(told), working.ending(now), {"start": start, "events": events})


def shopping(draw: Draw, level: int) -> Problem:
    """What a purchase costs; on the highest level, the change."""
    person, working = draw.one_of(PEOPLE), Working()
    kinds = draw.several(GOODS, min(level, 2))
    bought = [(draw.integer(2, 3 + 3 * level), draw.integer(2, 6 + 6 * level)) for _ in kinds]
    names = zip(kinds, bought, strict=True)
    told = " and ".join(f"{count} {kind} at ${price} each" for kind, (count, price) in names)
    costs = [
        working.step(f"The {kind} cost ${{}}.", count, "*", price)
        for kind, (count, price) in zip(kinds, bought, strict=True)
    ]
    total = costs[0] if len(costs) == 1 else working.step("Together they cost ${}.", *_sum(costs))
    values: dict[str, Any] = {"bought": bought}
    if level < 3:
        question = f"{person.name} buys {told}. How many dollars does {person.they} pay?"
        return Problem(question, working.ending(total), values)
    paid = 50 * (total // 50 + 1)
    change = working.step(f"{person.name} gets ${{}} back.", paid, "-", total)
    question = (
        f"{person.name} buys {told}, and pays with ${paid}. How many dollars does {person.they} "
        "get back?"
    )
    return Problem(question, working.ending(change), {**values, "paid": paid})


def _sum(numbers: list[int]) -> tuple[int, str, int]:
    return numbers[0], "+", numbers[1]


def sharing(draw: Draw, level: int) -> Problem:
    """Things are shared equally among friends, without a rest."""
    person, items, working = draw.one_of(PEOPLE), draw.one_of(ITEMS), Working()
    friends, share = draw.integer(3, 5 + level), size(draw, level)
    ask = f"equally among {friends} friends. How many {items} does each friend get?"
    each, they = f"Each friend gets {{}} {items}.", person.they.capitalize()
    if level == 1:
        total = friends * share
        working.step(each, total, "/", friends)
        question = f"{person.name} shares {total} {items} {ask}"
        return Problem(question, working.ending(share), {"total": total, "friends": friends})
    boxes, content = draw.integer(2, 4 + level), friends * share
    told = f"{person.name} has {boxes} boxes with {content} {items} in each."
    has = working.step(f"{person.name} has {{}} {items}.", boxes, "*", content)
    values = {"boxes": boxes, "content": content, "friends": friends}
    if level == 3:
        values["kept"] = kept = friends * draw.integer(1, share - 1)
        told += f" {they} keeps {kept} for {person.their} family."
        has = working.step("{} are left to be shared.", has, "-", kept)
    answer = working.step(each, has, "/", friends)
    what = "the others" if level == 3 else "them"
    return Problem(f"{told} {they} shares {what} {ask}", working.ending(answer), values)


def journey(draw: Draw, level: int) -> Problem:
    """How far someone comes at one or two speeds."""
    vehicle, working = draw.one_of(VEHICLES), Working()
    parts = [(5 * draw.integer(8, 18), draw.integer(2, 5)) for _ in range(min(level, 2))]
    told = " and then ".join(f"for {hours} hours at {speed} km per hour" for speed, hours in parts)
    ways = [working.step("It covers {} km.", speed, "*", hours) for speed, hours in parts]
    total = ways[0] if level == 1 else working.step("Together that is {} km.", *_sum(ways))
    if level < 3:
        question = f"A {vehicle} drives {told}. How many kilometres does it cover?"
        return Problem(question, working.ending(total), {"parts": parts})
    length = total + draw.integer(5, 90)
    left = working.step("There are {} km left.", length, "-", total)
    question = (
        f"A {vehicle} has a way of {length} km before it. It drives {told}. How many kilometres "
        "are left?"
    )
    return Problem(question, working.ending(left), {"length": length, "parts": parts})


def ages(draw: Draw, level: int) -> Problem:
    """Who is how old, now and later."""
    child, parent, third = draw.several(PEOPLE, 3)
    young, factor, working = draw.integer(7, 14), draw.integer(3, 4), Working()
    told = f"{child.name} is {young} years old. {parent.name} is {factor} times as old."
    old = working.step(f"{parent.name} is {{}} years old.", young, "*", factor)
    values = {"young": young, "factor": factor}
    if level == 1:
        question = f"{told} How old are {child.name} and {parent.name} together?"
        together = working.step("Together they are {}.", young, "+", old)
        return Problem(question, working.ending(together), values)
    less = draw.integer(2, 12)
    told += f" {third.name} is {less} years younger than {parent.name}."
    age = working.step(f"{third.name} is {{}} years old.", old, "-", less)
    if level == 2:
        return Problem(
            f"{told} How old is {third.name}?", working.ending(age), values | {"less": less}
        )
    years = draw.integer(2, 15)
    later = working.step(f"In {years} years {third.name} is {{}}.", age, "+", years)
    question = f"{told} How old will {third.name} be in {years} years?"
    return Problem(question, working.ending(later), values | {"less": less, "years": years})
