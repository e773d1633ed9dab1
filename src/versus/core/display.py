"""What a person sees: text on standard output, progress on standard error."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from versus.core.hooks.base import Hook
    from versus.core.learner import Learner

Mode = Literal["normal", "live", "quiet", "silent", "none"]


class Display:
    """Prints; the only place in the library that writes to the terminal.

    Args:
        quiet: short for mode ``quiet``.
        mode: ``normal``; ``live``: training fills the screen; ``quiet``: results and warnings;
            ``silent``: progress bars only; ``none``: nothing at all. Errors are always told.
    """

    def __init__(self, quiet: bool = False, *, mode: Mode = "normal") -> None:
        self.mode: Mode = "quiet" if quiet else mode
        self._covered = False
        self._clear: Callable[[], None] | None = None

    def line(self, text: str = "") -> None:
        """Print a result; also in quiet mode."""
        if self.mode not in ("silent", "none"):
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def note(self, text: str) -> None:
        """Print what the user may like to know."""
        if self.mode in ("normal", "live") and not self._covered:
            self._tell(text)

    def warn(self, text: str) -> None:
        """Print what the user must know; also in quiet mode."""
        if self.mode not in ("silent", "none"):
            self._tell(f"warning: {text}")

    def _tell(self, text: str) -> None:
        """Write to standard error, in place of a bar, which its next step draws again below."""
        if self._clear is not None:
            self._clear()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    @contextmanager
    def progress(self, label: str, total: int | None) -> Iterator["Hook"]:
        """A bar over training steps that shows only on a terminal, after half a second."""
        from versus.core.watching import ProgressBar

        with ProgressBar.shown(label, total, hidden=self.mode in ("quiet", "none")) as bar:
            self._clear = bar.clear
            try:
                yield bar
            finally:
                self._clear = None

    @contextmanager
    def training(self, label: str, learner: "Learner", metrics: Sequence[str]) -> Iterator["Hook"]:
        """The view of one stack's training: a bar, or in live mode the whole screen.

        Args:
            label: what is being trained.
            learner: the stack.
            metrics: those that a live display shows first.
        """
        if self.mode != "live" or not sys.stdout.isatty():
            with self.progress(label, learner.total_steps) as bar:
                yield bar
            return
        from versus.core.watching import LiveView

        self._covered = True
        try:
            with LiveView.shown(label, learner, metrics) as view:
                yield view
        finally:
            self._covered = False
