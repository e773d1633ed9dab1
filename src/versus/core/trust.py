"""Code of others that a model's own settings would run."""

import os

from versus.core.errors import ConfigError
from versus.core.runs import BaseComparison

TRUSTED = "VERSUS_TRUSTED_COMMITS"
"""Commits, separated by spaces, whose code the user has read and lets a model ask for."""


def check_code(name: str, comparison: BaseComparison) -> None:
    """Refuse settings that came with a model and run code of others, unless the user trusts it.

    In a params file such settings are the user's; in a registered model they are those of whoever
    may write to the registry.

    Raises:
        ConfigError: naming the commits that are not trusted.
    """
    runs = [comparison, *(run.config for run in comparison.expand(comparison.seed_list[:1]))]
    asked = {commit for one in runs for commit in one.foreign_code()}
    unread = sorted(asked - set(os.environ.get(TRUSTED, "").split()))
    if unread:
        raise ConfigError(
            f"{name}: its settings run Python that came with a backbone, at commit "
            f"{' '.join(unread)}; read that code, then set {TRUSTED}='{' '.join(sorted(asked))}' "
            "and give the same command again"
        )
