"""Calls that kill the process at the n-th access to the disk."""

import os
from collections.abc import Callable
from typing import Any


def dying_calls(moment: int) -> dict[str, Callable[..., Any]]:
    """Replacements for functions of ``os`` that end the process, uncleanly, at the n-th call."""
    count = 0

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == moment:
                os._exit(137)
            return real(*args, **kwargs)

        return call

    return {"fsync": dying(os.fsync), "replace": dying(os.replace), "open": dying(os.open)}
