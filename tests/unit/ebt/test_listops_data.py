"""ListOps expressions: grammar, parser, splits and floors."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from versus.core.errors import ConfigError, DataError
from versus.core.examples import Examples
from versus.experiments.ebt.data.config import DataConfig
from versus.experiments.ebt.data.listops import draw, tensors
from versus.experiments.ebt.data.listops.config import ListOpsConfig
from versus.experiments.ebt.data.listops.floors import Floors, class_balance
from versus.experiments.ebt.data.listops.grammar import binary, parse, shape_of, value_of
from versus.experiments.ebt.data.listops.splits import TESTS, limits_of
from versus.experiments.ebt.data.listops.tokens import (
    CLOSE,
    NUMBERS,
    VOCABULARY,
    expressions_of,
    lengths_of,
    text_of,
)

FLAT = "( ( ( ( [SM 2 ) 6 ) 5 ) ] )"
NESTED = "( ( ( [MAX 2 ) ( ( ( [MIN 9 ) 4 ) ] ) ) ] )"
FUNCTIONS: dict[int, Callable[[list[int]], int]] = {
    1: min,
    2: max,
    3: lambda args: int(statistics.median(args)),
    4: lambda args: sum(args) % 10,
}
# A digit, or an operator with its arguments.
Tree = Any
TREES = st.recursive(
    st.integers(0, 9),
    lambda below: st.tuples(st.integers(1, 4), st.lists(below, min_size=1, max_size=5)),
    max_leaves=30,
)


def flat(tree: Tree) -> list[int]:
    """The tokens of a tree without parentheses."""
    if isinstance(tree, int):
        return [8 + tree]
    return [tree[0], *(token for child in tree[1] for token in flat(child)), CLOSE]


def paired(tree: Tree) -> str:
    """The binary format by its definition: pairs from the left."""
    if isinstance(tree, int):
        return str(tree)
    pair: str = VOCABULARY[tree[0]]
    for child in [*map(paired, tree[1]), "]"]:
        pair = f"( {pair} {child} )"
    return pair


def value(tree: Tree) -> int:
    return tree if isinstance(tree, int) else FUNCTIONS[tree[0]]([value(c) for c in tree[1]])


def depth(tree: Tree) -> int:
    return 0 if isinstance(tree, int) else 1 + max(map(depth, tree[1]))


def test_the_vocabulary_has_18_tokens_in_the_documented_order() -> None:
    assert VOCABULARY[:8] == ("[PAD]", "[MIN", "[MAX", "[MED", "[SM", "]", "(", ")")
    assert [NUMBERS[str(digit)] for digit in range(10)] == list(range(8, 18))
    assert len(VOCABULARY) == 18


@pytest.mark.parametrize(("text", "expected"), [(FLAT, 3), (NESTED, 4), ("7", 7)])
def test_examples_of_the_seed_document(text: str, expected: int) -> None:
    expression = parse(text)
    assert text_of(binary(expression)) == text
    assert value_of(expression) == expected


@given(TREES)
@settings(max_examples=200, deadline=None)
def test_trees_survive_the_binary_format_and_evaluate_as_defined(tree: Tree) -> None:
    expression = flat(tree)
    text = text_of(binary(expression))
    assert text == paired(tree)
    assert parse(text) == expression
    assert value_of(expression) == value(tree)
    assert shape_of(expression).depth == depth(tree)


def test_medians_are_truncated_and_depth_needs_no_recursion() -> None:
    assert value_of(parse("( ( ( [MED 4 ) 9 ) ] )")) == 6
    deep = [1, 9] * 20_000 + [8] + [CLOSE] * 20_000
    assert parse(text_of(binary(deep))) == deep
    assert (value_of(deep), shape_of(deep)) == (0, (20_000, 2))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"token 0 is the end, expected a digit or \(: >>>the end<<<$"),
        ("( ( [MAX 2 ) 9 ) ] )", r"token 5 is 9, expected \]: .*\) >>>9<<< \) \] \)$"),
        ("( ( ( [MAX 2 ) 9 ) ]", r"token 9 is the end, expected \): .*\] >>>the end<<<$"),
        ("( ( ( [MOX 2 ) 9 ) ] )", r"token 3 is \[MOX, expected one of \[MIN \[MAX \[MED \[SM: "),
        ("( [MAX ] )", r"token 1 is \[MAX, expected \("),
        ("( ( [MAX 12 ) ] )", r"token 3 is 12, expected a digit"),
        ("3 4", r"token 1 is 4, expected the end"),
        (f"{NESTED} ) )", r"token 19 is \), expected the end: \.\.\. .*>>>\)<<< \)$"),
    ],
)
def test_a_mistake_is_shown_where_it_stands(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse(text)


SMALL = DataConfig(tasks="listops", size_train=300, size_val=80, size_test=60)


@pytest.fixture(scope="module")
def parts() -> dict[str, Examples]:
    return draw(SMALL, 0)


def test_parts_are_right_disjoint_and_a_function_of_the_seed(parts: dict[str, Examples]) -> None:
    rows = [tuple(e) for part in parts.values() for e in expressions_of(part.inputs)]
    assert len(rows) == len(set(rows)) == 300 + 80 + 4 * 60
    for part in parts.values():
        tokens = [[t for t in row if t] for row in part.inputs.tolist()]
        assert [value_of(parse(text_of(row))) for row in tokens] == part.labels.tolist()
    again, other = draw(SMALL, 0), draw(SMALL, 1)
    for name, part in parts.items():
        assert torch.equal(part.inputs, again[name].inputs)
        assert not torch.equal(part.inputs, other[name].inputs)


def test_a_part_does_not_depend_on_the_size_of_another(parts: dict[str, Examples]) -> None:
    fewer = draw(SMALL.model_copy(update={"size_train": 10}), 0)
    assert torch.equal(fewer["train"].inputs, parts["train"].inputs[:10])
    assert torch.equal(fewer["val"].inputs, parts["val"].inputs)


def test_every_shifted_part_leaves_the_training_range_on_its_axis_alone(
    parts: dict[str, Examples],
) -> None:
    outside = {"test_longer": "lengths", "test_deeper": "depth", "test_wider": "args"}
    inside = limits_of(SMALL.listops)["train"]
    for name, part in parts.items():
        limits = limits_of(SMALL.listops)[name]
        shapes = torch.tensor([shape_of(e) for e in expressions_of(part.inputs)])
        measured = {"lengths": lengths_of(part.inputs), "depth": shapes[:, 0], "args": shapes[:, 1]}
        for axis, values in measured.items():
            low, high = getattr(limits, axis)
            assert low <= values.min() <= values.max() <= high
            beyond = outside.get(name) == axis
            assert bool((values > getattr(inside, axis)[1]).all()) == beyond
        assert part.inputs.dtype == torch.uint8
        assert part.inputs.shape[1] == limits.lengths[1]


def test_the_seed_document_s_tensors(parts: dict[str, Examples]) -> None:
    found = tensors(SMALL, 0)
    assert [len(y) for _, y in found.values()] == [300, 80, 60]
    x, y = found["test"]
    assert (x.shape, x.dtype, y.dtype) == ((60, 500), torch.int64, torch.int64)
    assert torch.equal(x[:, :60], parts["test_iid"].inputs.long())
    assert not x[:, 60:].any()


@pytest.mark.parametrize(
    "ranges",
    [{"longer": (60, 90)}, {"deeper": (3, 4)}, {"wider": (5, 4)}, {"lengths": (0, 60)}],
)
def test_ranges_that_are_not_beyond_training_are_refused(ranges: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=rf"{next(iter(ranges))}: needs two numbers"):
        ListOpsConfig(**ranges)


def test_expressions_that_no_input_holds_or_no_draw_gives_are_refused() -> None:
    with pytest.raises(ValueError, match=r"longer: vec_size = 1 allows at most 50 tokens"):
        ListOpsConfig(lengths=(17, 40), longer=(41, 60)).check(1)
    long = SMALL.model_copy(update={"listops": ListOpsConfig(longer=(61, 600))})
    with pytest.raises(ConfigError, match=r"data.listops.longer: vec_size = 10 allows at most 500"):
        draw(long, 0)
    empty = SMALL.model_copy(update={"listops": ListOpsConfig(deeper=(7, 8))})
    with pytest.raises(DataError, match="test_deeper needs 60 different expressions"):
        draw(empty, 0)
    few = ListOpsConfig(lengths=(10, 10), depth=1, args=2, deeper=(2, 2), wider=(3, 3))
    with pytest.raises(DataError, match="train needs 300 different"):
        draw(SMALL.model_copy(update={"listops": few}), 0)


def test_floors_are_the_counts_of_a_brute_force_search(parts: dict[str, Examples]) -> None:
    def sees(text: str) -> dict[str, Any]:
        tree = text.split()
        level, digits = 0, []
        for word in tree:
            level += word.startswith("[") - (word == "]")
            digits += [word] if level == 1 and word.isdigit() else []
        root = next(word for word in tree if word.startswith("["))
        return {"majority": (), "root": root, "digits": (root, *sorted(digits))}

    def texts(part: str) -> list[str]:
        return [text_of(t for t in row if t) for row in parts[part].inputs.tolist()]

    counts: defaultdict[Any, Counter[int]] = defaultdict(Counter)
    for text, label in zip(texts("train"), parts["train"].labels.tolist(), strict=True):
        for item in sees(text).items():
            counts[item][label] += 1
    floors = Floors(parts["train"])
    for part in TESTS:
        found = floors.right(parts[part])
        hits: Counter[str] = Counter()
        for text, label in zip(texts(part), parts[part].labels.tolist(), strict=True):
            guess = -1
            for item in sees(text).items():
                if item in counts:
                    most = max(counts[item].values())
                    guess = min(v for v, n in counts[item].items() if n == most)
                hits[item[0]] += guess == label
        assert {rule: int(v.sum()) for rule, v in found.items()} == {
            f"floor_{rule}": hits[rule] for rule in ("majority", "root", "digits")
        }
    shares = class_balance(parts["train"].labels)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["classes/share_0"] == parts["train"].labels.tolist().count(0) / 300
