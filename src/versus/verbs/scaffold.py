"""The verb new: files of a new experiment, asked for by flags or, on a terminal, by questions."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from versus.core.arguments import Option, no_more, parse
from versus.core.display import Display
from versus.core.errors import ConfigError, VersusError

if TYPE_CHECKING:
    from versus.core.scaffold.request import Request

T = TypeVar("T")
ABOUT = (
    "Write a new experiment that trains and passes its tests at once: its folder, params, suite, "
    "test, and its lines in MLproject and params/pipeline.yaml. What no flag says is asked on a "
    "terminal; elsewhere the defaults are taken."
)
OPTIONS = (
    Option("kind", "supervised, grokking or language-model (default: supervised)"),
    Option("variants", "names, the baseline first (default: three of the kind)", many=True),
    Option("mode", "scaffold: the least that runs; smart: complete (default: smart)"),
    Option("epochs", "passes over the training data (default: by kind)"),
    Option("batch-size", "examples per step (default: by kind)"),
    Option("lr", "step size (default: by kind)"),
    Option("seeds", "test seeds (default: 8)"),
    Option("dry-run", "only list what would be written", switch=True, default=False),
)


class EndOfAnswers(VersusError):
    """The terminal was closed before all questions were answered."""

    exit_code = 2


def new(words: list[str]) -> None:
    """Write a new experiment."""
    name, words = (words[0], words[1:]) if words and words[0][:1] != "-" else (None, words)
    options, rest = parse("new [NAME]", ABOUT, words, *OPTIONS)
    no_more("new", rest)

    from versus.core.paths import project_root
    from versus.core.scaffold import writing

    root, display = project_root(), Display(options.quiet)
    writing.check_checkout(root)
    changes = writing.plan(root, _request(_name(name, root), options))
    if not options.dry_run:
        writing.write(changes)
    for change in changes:
        done = "write" if change.before is None else "add to"
        display.line(f"{'would ' * options.dry_run}{done} {change.path.relative_to(root)}")
    if not options.dry_run:
        experiment = changes[0].path.parent.name
        display.note(f"next: versus train {experiment} --profile smoke")
        display.note(f"      python -m pytest tests/unit/{experiment}")


def _name(given: str | None, root: Path) -> str:
    from versus.core.scaffold.request import checked_name
    from versus.core.scaffold.writing import check_free

    def free(text: str) -> str:
        check_free(root, checked_name(text))
        return text

    return _answer("name (snake_case)", given, None, free)


def _request(name: str, options: argparse.Namespace) -> "Request":
    from versus.core.scaffold import request as asked

    def count(flag: str) -> Callable[[str], int]:
        return lambda text: asked.checked_count(text, flag)

    def variants(text: str) -> tuple[str, ...]:
        return asked.checked_variants([] if text == own else text.replace(",", " ").split())

    kind = _answer(
        f"kind ({', '.join(asked.KINDS)})", options.kind, "supervised", asked.checked_kind
    )
    usual = asked.DEFAULTS[kind]
    own = " ".join(usual.variants)
    named = " ".join(options.variants) if options.variants else None
    return asked.Request(
        name=name,
        kind=kind,
        variants=_answer("variants, the baseline first", named, own, variants),
        mode=_answer(f"mode ({', '.join(asked.MODES)})", options.mode, "smart", asked.checked_mode),
        epochs=_answer("epochs", options.epochs, str(usual.epochs), count("--epochs")),
        batch_size=_answer(
            "batch size", options.batch_size, str(usual.batch_size), count("--batch-size")
        ),
        lr=_answer("step size lr", options.lr, f"{usual.lr:g}", asked.checked_rate),
        seeds=_answer("seeds", options.seeds, "8", count("--seeds")),
    )


def _answer(question: str, given: str | None, usual: str | None, read: Callable[[str], T]) -> T:
    """What a flag says; else what the user answers on a terminal; else what is usual.

    Raises:
        ConfigError: if the flag's value is not acceptable, or nothing says it.
    """
    if given is not None:
        return read(given)
    if not sys.stdin.isatty():
        if usual is None:
            raise ConfigError("versus new: give a name, as in: versus new my_experiment")
        return read(usual)
    while True:
        try:
            return read(_ask(question, usual))
        except ConfigError as error:
            sys.stderr.write(f"{error}\n")


def _ask(question: str, usual: str | None) -> str:
    """One line from the terminal; an empty one means what is usual.

    Raises:
        EndOfAnswers: if there will be none.
    """
    hint = "" if usual is None else f" [{usual}]"
    try:
        return input(f"{question}{hint}: ").strip() or usual or ""
    except EOFError as error:
        raise EndOfAnswers("versus new: no more answers; nothing was written") from error
