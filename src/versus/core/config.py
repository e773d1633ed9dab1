"""Strict configuration: frozen models, YAML 1.2, overlays, overrides, all errors at once.

A params file is read by ruamel (YAML 1.2, the reader that DVC uses): PyYAML reads ``1e-3`` as text
and ``off`` as false. A profile's overlay is merged into it as a JSON merge patch (RFC 7396:
``null`` removes a key), then come the command line's overrides. Every mistake is reported in one
:class:`ConfigError`, with the key, where it was written, the value received and a remedy.
"""

import difflib
import hashlib
import json
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from versus.core.errors import ConfigError
from versus.core.paths import shown

Tree = dict[str, Any]
COMMAND_LINE = "command line"
# Mappings whose keys are themselves dotted names: `grid.model.lr` is the key `model.lr` of `grid`.
DOTTED_MAPPINGS = frozenset({"grid"})
LARGEST_STEP = 1e30
"""Largest step size: of float32, with room for what an optimiser makes of it."""


class Section(BaseModel):
    """Base of every configuration model: frozen, no unknown keys, docstrings become help."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )


S = TypeVar("S", bound=Section)


def read_yaml(path: Path) -> Tree:
    """Read a mapping from a YAML 1.2 or JSON file.

    Raises:
        ConfigError: if the file is missing, malformed or not a mapping.
    """
    try:
        tree = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{shown(path)}: no such file; check --config and --profile") from error
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ConfigError(f"{shown(path)}: not readable as YAML: {error}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{shown(path)}: expected a mapping of keys, received {tree!r:.80}")
    return tree


def merge(base: Tree, patch: Mapping[str, Any]) -> Tree:
    """``base`` with ``patch`` applied (RFC 7396): mappings merge, ``None`` removes a key."""
    merged = dict(base)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            below = merged.get(key)
            merged[key] = merge(below if isinstance(below, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def nested(dotted: str, value: Any) -> Tree:
    """``nested("a.b", 1) == {"a": {"b": 1}}``."""
    head, _, rest = dotted.partition(".")
    if not rest:
        return {head: value}
    return {head: {rest: value} if head in DOTTED_MAPPINGS else nested(rest, value)}


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ``(dotted key, value)`` of every leaf; empty mappings count as leaves."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def digest(value: Any) -> str:
    """First 32 hexadecimal digits of the SHA-256 of ``value`` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


# --- command line ---------------------------------------------------------------------------


def parse_overrides(
    tokens: Sequence[str], model: type[Section], aliases: Mapping[str, str]
) -> list[tuple[str, Any]]:
    """Turn ``--a.b 1 --lrs 0.1 0.2 --flag`` into ``(dotted key, value)`` pairs.

    A value is YAML. A list may be written ``32 64``, ``"32 64"`` or ``[32, 64]``, because
    ``mlflow run -P key=value`` passes one string; a switch needs no value.

    Raises:
        ConfigError: for a word that belongs to no option.
    """
    overrides: list[tuple[str, Any]] = []
    for flag, words in _options(tokens):
        name = flag[2:]
        key = aliases.get(name, name)
        value = _value(words, _annotation(model, key), f"--{name}")
        overrides.append((key, [value] if name == "seed" else value))
    return overrides


def _options(tokens: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    flag: str | None = None
    words: list[str] = []
    for token in tokens:
        if token.startswith("--"):
            if flag is not None:
                yield flag, words
            flag, equals, value = token.partition("=")
            words = [value] if equals else []
        elif flag is None:
            raise ConfigError(f"{token!r}: not expected here; options are written --key value")
        else:
            words.append(token)
    if flag is not None:
        yield flag, words


def _value(words: list[str], annotation: Any, flag: str) -> Any:
    if not words:
        return True
    if annotation is str and len(words) == 1:
        return words[0]
    if len(words) == 1 and _takes_list(annotation) and "{" not in words[0]:
        words = words[0].strip("[]").replace(",", " ").split()
    values = [scalar(word, flag) for word in words]
    if len(values) == 1 and isinstance(values[0], list):
        return values[0]
    if len(values) > 1 or (_takes_list(annotation) and not _takes_scalar(annotation)):
        return values
    return values[0]


def scalar(word: str, flag: str) -> Any:
    """One word of the command line, read as YAML.

    Raises:
        ConfigError: if it cannot be read.
    """
    try:
        return YAML(typ="safe").load(word)
    except YAMLError as error:
        raise ConfigError(
            f"{flag} ({COMMAND_LINE}): not readable as YAML, received {word!r}"
        ) from error


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    origin = get_origin(annotation)
    if origin is typing.Annotated:
        return _alternatives(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return tuple(a for arg in get_args(annotation) for a in _alternatives(arg))
    return (annotation,)


def _takes_list(annotation: Any) -> bool:
    return any(get_origin(a) in (list, tuple) for a in _alternatives(annotation))


def _takes_scalar(annotation: Any) -> bool:
    return any(get_origin(a) not in (list, tuple) for a in _alternatives(annotation))


def _annotation(model: Any, dotted: str) -> Any:
    """Type of the field that a dotted key names; ``Any`` where there is none."""
    head, _, rest = dotted.partition(".")
    for candidate in _alternatives(model):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            field = candidate.model_fields.get(head)
            if field is None:
                return Any
            if head in DOTTED_MAPPINGS and rest:
                return get_args(field.annotation)[1]
            return _annotation(field.annotation, rest) if rest else field.annotation
        if get_origin(candidate) is dict:
            inner = get_args(candidate)[1]
            return _annotation(inner, rest) if rest else inner
    return Any


# --- loading and errors -----------------------------------------------------------------------


def load(model: type[S], layers: Sequence[tuple[str, Mapping[str, Any]]]) -> S:
    """Merge ``(source, tree)`` layers, later ones winning, and validate the result.

    Raises:
        ConfigError: listing every unknown key and unacceptable value with its source.
    """
    tree: Tree = {}
    for _, layer in layers:
        tree = merge(tree, layer)
    return validate(model, tree, lambda key: _source(key, layers))


def validate(model: type[S], tree: Mapping[str, Any], source: Any = lambda key: "") -> S:
    """Validate one tree; see :func:`load`."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(_messages(error, model, tree, source))) from error


def _messages(
    error: ValidationError, model: type[Section], tree: Mapping[str, Any], source: Any
) -> Iterator[str]:
    known = [key for key, *_ in describe(model)]
    for problem in error.errors():
        loc = [str(part) for part in problem["loc"]]
        key = _written_key(loc, tree)
        place = f" ({source(key)})" if source(key) else ""
        if problem["type"] == "extra_forbidden":
            hint = _suggestion(key, known)
            yield f"{key}{place}: unknown key{hint}; received {problem['input']!r:.80}"
        elif problem["type"] == "missing":
            yield f"{key}{place}: required, but nothing was given"
        else:
            text = problem["msg"].removeprefix("Value error, ")
            received = "" if "eceived" in text else f"; received {problem['input']!r:.80}"
            yield f"{key or model.__name__}{place}: {text[0].lower()}{text[1:]}{received}"


def _written_key(loc: Sequence[str], tree: Any) -> str:
    """The dotted key as far as it exists in the tree: pydantic adds names of union members."""
    parts: list[str] = []
    for part in loc:
        if isinstance(tree, Mapping):
            parts.append(part)
            tree = tree.get(part)
        elif isinstance(tree, list | tuple) and part.isdigit():
            parts.append(part)
            tree = tree[int(part)] if int(part) < len(tree) else None
    return ".".join(parts)


def _suggestion(key: str, known: Sequence[str]) -> str:
    by_leaf = {name.rpartition(".")[2]: name for name in known}
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if not close:
        close = [
            by_leaf[leaf]
            for leaf in difflib.get_close_matches(key.rpartition(".")[2], by_leaf, n=1, cutoff=0.6)
        ]
    return f"; did you mean {close[0]}?" if close else f"; known here: {_siblings(key, known)}"


def _siblings(key: str, known: Sequence[str]) -> str:
    parent = key.rpartition(".")[0]
    beside = [name for name in known if name.rpartition(".")[0] == parent]
    return ", ".join(beside or sorted({name.partition(".")[0] for name in known}))


def _source(key: str, layers: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Name of the last layer that wrote ``key`` or something below or above it."""
    for name, tree in layers[::-1]:
        for written, _ in leaves(tree):
            if written == key or written.startswith(f"{key}.") or key.startswith(f"{written}."):
                return name
    return ""


# --- help ---------------------------------------------------------------------------------------


def describe(model: type[Section], prefix: str = "") -> Iterator[tuple[str, Any, Any, str]]:
    """Yield ``(dotted key, type, default, docstring)`` of every field, depth first."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        section = next((a for a in _alternatives(field.annotation) if _is_section(a)), None)
        if section is not None:
            yield from describe(section, f"{key}.")
        else:
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            yield key, field.annotation, default, field.description or ""
            for inner in get_args(field.annotation):
                if _is_section(inner):
                    yield from describe(inner, f"{key}.<name>.")


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)
