"""What a result may depend on besides config, seed and data."""

import platform
from collections.abc import Mapping
from typing import Any

import versus


def environment() -> dict[str, Any]:
    """Versions and hardware that can change a result in its last bits."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "versus": versus.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "",
        "gpu": torch.cuda.get_device_name() if cuda else "",
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


def changes(before: Mapping[str, Any]) -> list[str]:
    """What has changed since ``before``, as ``torch: 2.9 -> 2.13``."""
    now = environment()
    return [
        f"{key}: {before[key] or 'none'} -> {now[key] or 'none'}"
        for key in now
        if key in before and before[key] != now[key]
    ]
