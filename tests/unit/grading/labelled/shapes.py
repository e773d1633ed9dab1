"""Rewrites and near misses of tuples, lists, intervals, matrices and words."""

import random
import re
from collections.abc import Iterator

_INTEGER = re.compile(r"(?<![\d{.^_])(?<!\d[,/])-?\d+(?![\d/}.])")
_OTHER_WORDS = ("circle", "Tuesday", "odd", "north", "none")


def same_tuple(gold: str, chance: random.Random) -> Iterator[str]:
    """The same point in other layout, or with an element in another form."""
    inside = _plain(gold)[1:-1]
    yield f"\\left({inside}\\right)"
    yield f"({inside.replace(' ', '').replace(',', ', ')})"
    yield f"$({inside})$"
    yield from _one_doubled(_plain(gold), chance)


def other_tuple(gold: str, chance: random.Random) -> Iterator[str]:
    """Elements exchanged, changed, left out or added; other brackets."""
    items = _items(_plain(gold)[1:-1])
    if items != items[::-1]:
        yield f"({', '.join(items[::-1])})"
    yield f"({', '.join([*items[:-1], f'{items[-1]} + 1'])})"
    yield f"({', '.join([*items, '0'])})"
    yield f"({', '.join([_negative(items[0]), *items[1:]])})"
    yield f"\\{{{', '.join(items)}\\}}"
    if len(items) == 2:
        yield f"[{', '.join(items)}]"
        yield f"({', '.join(items)}]"


def same_list(gold: str, chance: random.Random) -> Iterator[str]:
    """The items in other order, as a set, or with words between them."""
    items = _items(gold)
    shuffled = items.copy()
    chance.shuffle(shuffled)
    yield ", ".join(shuffled)
    yield ",".join(items)
    yield f"\\{{{', '.join(shuffled)}\\}}"
    yield f"{', '.join(items[:-1])} \\text{{ and }} {items[-1]}"
    yield f"{', '.join(items[:-1])} or {items[-1]}"
    yield f"x = {', '.join(items)}"
    yield from _one_doubled(gold, chance)


def other_list(gold: str, chance: random.Random) -> Iterator[str]:
    """Items changed, left out or added; a point."""
    items = _items(gold)
    place = chance.randrange(len(items))
    yield ", ".join([*items[:place], *items[place + 1 :]])
    yield ", ".join([*items, "991"])
    yield ", ".join([*items[:place], f"{items[place]} + 1", *items[place + 1 :]])
    if _negative(items[place]) not in items:
        yield ", ".join([*items[:place], _negative(items[place]), *items[place + 1 :]])
    if items != items[::-1]:
        yield f"({', '.join(items[::-1])})"


def same_interval(gold: str, chance: random.Random) -> Iterator[str]:
    """The parts of a union in other order, other layout, an unknown before it."""
    plain = _plain(gold)
    parts = [part.strip() for part in plain.split("\\cup")]
    yield " \\cup ".join(parts[::-1])
    yield " ∪ ".join(parts)
    yield plain.replace("\\infty", "∞")
    yield re.sub(r"[(\[]", lambda m: f"\\left{m[0]}", re.sub(r"[)\]]", r"\\right\g<0>", plain))
    yield f"x \\in {plain}"


def other_interval(gold: str, chance: random.Random) -> Iterator[str]:
    """An end opened or closed, moved, or a part left out."""
    plain = _plain(gold)
    flip = {"(": "[", "[": "(", ")": "]", "]": ")"}
    yield flip[plain[0]] + plain[1:]
    yield plain[:-1] + flip[plain[-1]]
    parts = [part.strip() for part in plain.split("\\cup")]
    if len(parts) > 1:
        yield " \\cup ".join(parts[1:])
    first, _, rest = parts[0][1:].partition(",")
    if "infty" not in first:
        yield " \\cup ".join([f"{parts[0][0]}{first} + 1,{rest}", *parts[1:]])
    elif "infty" not in rest:
        yield " \\cup ".join([f"{parts[0][0]}{first},{rest[:-1]} + 1{rest[-1]}", *parts[1:]])


def same_matrix(gold: str, chance: random.Random) -> Iterator[str]:
    """Other brackets, an element in another form, a factor taken out."""
    yield gold.replace("pmatrix", "bmatrix")
    yield gold.replace(" ", "")
    yield from _one_doubled(gold, chance)
    yield _matrix([[f"\\frac{{2({item})}}{{2}}" for item in row] for row in _rows(gold)])
    yield "2" + _matrix([[f"\\frac{{{item}}}{{2}}" for item in row] for row in _rows(gold)])


def other_matrix(gold: str, chance: random.Random) -> Iterator[str]:
    """Turned, an element changed, a row left out, another factor."""
    rows = _rows(gold)
    turned = [list(column) for column in zip(*rows, strict=True)]
    if turned != rows:
        yield _matrix(turned)
    yield _matrix([[f"{rows[0][0]} + 1", *rows[0][1:]], *rows[1:]])
    if len(rows) > 1:
        yield _matrix(rows[:-1])
        if rows != rows[::-1]:
            yield _matrix(rows[::-1])
    if any(item != "0" for row in rows for item in row):
        yield "2" + gold


def same_text(gold: str, chance: random.Random) -> Iterator[str]:
    """The words in other case or font."""
    words = gold[len("\\text{") : -1]
    yield from (words, words.lower(), words.upper(), f"\\textbf{{{words}}}", f"**{words}**")
    yield f"\\mathrm{{{words}}}"
    yield words.strip("()")


def other_text(gold: str, chance: random.Random) -> Iterator[str]:
    """Other words or letters."""
    words = gold[len("\\text{") : -1].strip("()")
    if len(words) == 1:
        yield f"\\text{{{'A' if words != 'A' else 'C'}}}"
        yield f"\\text{{{words}, {'A' if words != 'A' else 'C'}}}"
    else:
        yield from (f"\\text{{{word}}}" for word in _OTHER_WORDS if word != words)
        yield f"\\text{{{words[1:]}{words[0]}}}" if len(set(words)) > 1 else "none"
    yield "5"


def _plain(gold: str) -> str:
    return gold.replace("\\left", "").replace("\\right", "").strip()


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")]


def _negative(item: str) -> str:
    return item[1:] if item.startswith("-") else f"-{item}" if item != "0" else "5"


def _one_doubled(text: str, chance: random.Random) -> Iterator[str]:
    """One of the integers as a fraction that is not reduced."""
    found = list(_INTEGER.finditer(text))
    if found:
        integer = chance.choice(found)
        double = f"\\frac{{{2 * int(integer[0])}}}{{2}}"
        yield text[: integer.start()] + double + text[integer.end() :]


def _rows(gold: str) -> list[list[str]]:
    inside = gold.partition("}")[2].rpartition("\\end")[0]
    rows = [row.strip() for row in inside.split("\\\\")]
    return [[item.strip() for item in row.split("&")] for row in rows if row]


def _matrix(rows: list[list[str]]) -> str:
    body = " \\\\ ".join(" & ".join(row) for row in rows)
    return f"\\begin{{pmatrix}} {body} \\end{{pmatrix}}"
