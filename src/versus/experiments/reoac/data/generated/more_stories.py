"""More word problems, and the list of all."""

import math
from collections.abc import Mapping

from versus.experiments.reoac.data.generated import stories
from versus.experiments.reoac.data.generated.draws import Draw, Problem, Template
from versus.experiments.reoac.data.generated.stories import Working, size
from versus.experiments.reoac.data.generated.words import ITEMS, JOBS, PEOPLE


def wages(draw: Draw, level: int) -> Problem:
    """What work earns, and what is left of it."""
    person, job, working = draw.one_of(PEOPLE), draw.one_of(JOBS), Working()
    rate, hours = draw.integer(8, 20 + 5 * level), draw.integer(3, 8)
    told = f"{person.name} works at a {job} and earns ${rate} an hour."
    if level == 1:
        earned = working.step(f"{person.name} earns ${{}}.", rate, "*", hours)
        question = f"{told} How many dollars does {person.they} earn in {hours} hours?"
        return Problem(question, working.ending(earned), {"rate": rate, "hours": hours})
    days = draw.integer(3, 6)
    told = f"{told} {person.name} works {hours} hours a day on {days} days."
    daily = working.step(f"{person.name} earns ${{}} a day.", rate, "*", hours)
    total = working.step(f"In {days} days that makes ${{}}.", daily, "*", days)
    values = {"rate": rate, "hours": hours, "days": days}
    if level == 2:
        question = f"{told} How many dollars does {person.they} earn?"
        return Problem(question, working.ending(total), values)
    spent = draw.integer(10, total // 2)
    left = working.step(f"{person.name} has ${{}} left.", total, "-", spent)
    question = (
        f"{told} Then {person.they} spends ${spent} on a gift. How many dollars of the wages are "
        "left?"
    )
    return Problem(question, working.ending(left), values | {"spent": spent})


def reading(draw: Draw, level: int) -> Problem:
    """How much of a book is read, left, or to be read a day."""
    person, working = draw.one_of(PEOPLE), Working()
    days, pages = draw.integer(3, 9), size(draw, level) + 5
    read = working.step(f"{person.name} reads {{}} pages.", days, "*", pages)
    told = f"reads {pages} pages a day for {days} days."
    if level == 1:
        question = f"{person.name} {told} How many pages does {person.they} read?"
        return Problem(question, working.ending(read), {"days": days, "pages": pages})
    rest_days, rate = draw.integer(2, 6), size(draw, level) + 2
    total = read + rest_days * rate
    told = f"{person.name} has a book of {total} pages. First {person.they} {told}"
    left = working.step("There are {} pages left.", total, "-", read)
    values = {"total": total, "days": days, "pages": pages}
    if level == 2:
        return Problem(f"{told} How many pages are left?", working.ending(left), values)
    question = (
        f"{told} The rest is to be read in {rest_days} days, the same number of pages on each. "
        "How many pages a day is that?"
    )
    answer = working.step("That is {} pages a day.", left, "/", rest_days)
    return Problem(question, working.ending(answer), values | {"rest_days": rest_days})


def parts(draw: Draw, level: int) -> Problem:
    """Fractions and percentages of a number of things, without a rest."""
    (person, friend), items, working = draw.several(PEOPLE, 2), draw.one_of(ITEMS), Working()
    share, percent = draw.integer(2, 6), draw.one_of((10, 20, 25, 30, 40, 50, 60, 75))
    unit = {1: share, 2: 100 // math.gcd(100, percent), 3: 100 * share // math.gcd(100, percent)}
    total = left = unit[level] * draw.integer(2, 9)
    told, values = f"{person.name} has {total} {items}.", {"total": total}
    if level != 2:
        told += f" {person.name} gives 1/{share} of them to {friend.name}."
        given = working.step(f"{friend.name} gets {{}} {items}.", total, "/", share)
        left = working.step(f"{person.name} keeps {{}} {items}.", total, "-", given)
        values["share"] = share
    if level > 1:
        told += f" Then {person.they} sells {percent}% of {person.their} {items}."
        hundredfold = working.step(
            f"A hundred times what {person.they} sells is {{}}.", left, "*", percent
        )
        sold = working.step(f"So {person.they} sells {{}} {items}.", hundredfold, "/", 100)
        left = working.step(f"{person.name} has {{}} {items} left.", left, "-", sold)
        values["percent"] = percent
    question = f"{told} How many {items} does {person.name} have left?"
    return Problem(question, working.ending(left), values)


def comparing(draw: Draw, level: int) -> Problem:
    """Who has how many more, and all together."""
    (first, second, third), items = draw.several(PEOPLE, 3), draw.one_of(ITEMS)
    working, start, more = Working(), size(draw, level), size(draw, level)
    told = f"{first.name} has {start} {items}. {second.name} has {more} more than {first.name}."
    other = working.step(f"{second.name} has {{}} {items}.", start, "+", more)
    values = {"start": start, "more": more}
    if level == 1:
        total = working.step(f"Together they have {{}} {items}.", start, "+", other)
        question = f"{told} How many {items} do they have together?"
        return Problem(question, working.ending(total), values)
    factor = draw.integer(2, 5)
    told += f" {third.name} has {factor} times as many {items} as {second.name}."
    most = working.step(f"{third.name} has {{}} {items}.", factor, "*", other)
    values["factor"] = factor
    if level == 2:
        return Problem(
            f"{told} How many {items} does {third.name} have?", working.ending(most), values
        )
    two = working.step(f"{first.name} and {second.name} have {{}} {items}.", start, "+", other)
    total = working.step(f"All three have {{}} {items}.", two, "+", most)
    question = f"{told} How many {items} do the three have together?"
    return Problem(question, working.ending(total), values)


TEMPLATES: Mapping[str, Template] = {
    "collection": stories.collection,
    "shopping": stories.shopping,
    "sharing": stories.sharing,
    "journey": stories.journey,
    "ages": stories.ages,
    "wages": wages,
    "reading": reading,
    "parts": parts,
    "comparing": comparing,
}
