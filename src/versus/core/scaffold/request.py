"""What `versus new` is asked for, and what may be asked."""

import difflib
import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar, get_args

from versus.core import config as configs
from versus.core.errors import ConfigError

Kind = Literal["supervised", "grokking", "language-model"]
Mode = Literal["scaffold", "smart"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MODES: tuple[Mode, ...] = get_args(Mode)
T = TypeVar("T", bound=str)
LONGEST_NAME = 30
LONGEST_VARIANT = 40


@dataclass(frozen=True)
class Defaults:
    """What a kind of experiment has where nothing else is asked for.

    Attributes:
        epochs: passes over the training examples.
        batch_size: examples per step.
        lr: step size.
        variants: name -> the values that differ, as YAML; the first is the baseline.
    """

    epochs: int
    batch_size: int
    lr: float
    variants: dict[str, str]


DEFAULTS: dict[Kind, Defaults] = {
    "supervised": Defaults(
        epochs=60,
        batch_size=32,
        lr=0.01,
        variants={
            "relu": "{model: {activation: relu}}",
            "tanh": "{model: {activation: tanh}}",
            "gelu": "{model: {activation: gelu}}",
        },
    ),
    "grokking": Defaults(
        epochs=400,
        batch_size=128,
        lr=0.01,
        variants={
            "decay-1.0": "{train: {weight_decay: 1.0}}",
            "decay-0.3": "{train: {weight_decay: 0.3}}",
            "decay-0.1": "{train: {weight_decay: 0.1}}",
        },
    ),
    "language-model": Defaults(
        epochs=30,
        batch_size=32,
        lr=0.003,
        variants={
            "one-layer": "{model: {layers: 1}}",
            "two-layers": "{model: {layers: 2}}",
            "wide": "{model: {width: 64}}",
        },
    ),
}


@dataclass(frozen=True)
class Request:
    """A new experiment.

    Attributes:
        name: of the experiment and its folder.
        kind: what is learnt in it.
        mode: ``scaffold``, the least that runs, or ``smart``, complete.
        variants: names of the user's, the baseline first; empty = those of the kind.
        epochs: passes over the training examples.
        batch_size: examples per step.
        lr: step size.
        seeds: test seeds of the default profile.
    """

    name: str
    kind: Kind
    mode: Mode
    epochs: int
    batch_size: int
    lr: float
    seeds: int
    variants: tuple[str, ...] = field(default=())


def checked_name(name: str) -> str:
    """``name``, if an experiment can have it.

    Raises:
        ConfigError: if it is no snake_case word, too long, or a word of Python.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > LONGEST_NAME:
        raise ConfigError(
            f"name: expected snake_case, such as my_experiment, of {LONGEST_NAME} characters at "
            f"most; received {name!r}"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise ConfigError(f"name: {name!r} is a word of Python; choose another")
    return name


def checked_variants(names: Sequence[str]) -> tuple[str, ...]:
    """``names``, if variants can have them.

    Raises:
        ConfigError: if one cannot be a folder and a key of YAML, or occurs twice.
    """
    for name in names:
        plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", name) and len(name) <= LONGEST_VARIANT
        if not plain or not isinstance(configs.scalar(name, "--variants"), str):
            raise ConfigError(
                f"--variants: expected a letter, then letters, digits, '-', '_' or '.', "
                f"{LONGEST_VARIANT} characters at most; received {name!r}"
            )
        if names.count(name) > 1:
            raise ConfigError(f"--variants: every name once, received {name!r} twice")
    return tuple(names)


def checked_kind(text: str) -> Kind:
    """``text``, if it is a kind of experiment.

    Raises:
        ConfigError: if it is none.
    """
    return _one_of(KINDS, "--kind", text)


def checked_mode(text: str) -> Mode:
    """``text``, if it is a mode.

    Raises:
        ConfigError: if it is none.
    """
    return _one_of(MODES, "--mode", text)


def _one_of(known: tuple[T, ...], flag: str, text: str) -> T:
    for name in known:
        if name == text:
            return name
    near = difflib.get_close_matches(text, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ConfigError(f"{flag}: {hint}choose one of {', '.join(known)}; received {text!r}")


def checked_count(text: str, flag: str) -> int:
    """``text`` as a whole number.

    Raises:
        ConfigError: if it is none, or smaller than 1.
    """
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise ConfigError(f"{flag}: expected a whole number >= 1, received {text!r}")
    return int(text)


def checked_rate(text: str) -> float:
    """``text`` as a step size.

    Raises:
        ConfigError: if it is no number above 0.
    """
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise ConfigError(f"--lr: expected a number above 0, received {text!r}")
    return rate
