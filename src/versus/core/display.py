"""What a person sees: text on standard output, progress on standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from versus.core.hooks.base import Context, Hook


class Display:
    """Prints unless quiet; the only place in the library that writes to the terminal."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def line(self, text: str = "") -> None:
        """Print a result; also in quiet mode."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Print what the user may like to know, unless quiet."""
        if not self.quiet:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def warn(self, text: str) -> None:
        """Print what the user must know; also in quiet mode."""
        sys.stderr.write(f"warning: {text}\n")
        sys.stderr.flush()

    @contextmanager
    def progress(self, label: str, total: int | None) -> Iterator["Progress"]:
        """A bar over training steps that shows only on a terminal, after half a second."""
        hidden = True if self.quiet else None
        with tqdm(total=total, desc=label, disable=hidden, leave=False, delay=0.5) as bar:
            yield Progress(bar)


class Progress(Hook):
    """Moves a bar with the training's steps."""

    draws = False

    def __init__(self, bar: "tqdm[None]") -> None:
        self.bar = bar

    def on_train_start(self, context: Context) -> None:
        """A resumed training starts where it stopped."""
        self.bar.update(context.step)

    def on_step_end(self, context: Context) -> None:
        """One step further."""
        self.bar.update()
