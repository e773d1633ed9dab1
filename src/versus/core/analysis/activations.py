"""Activations of every layer over a sweep of inputs ``(a, b)`` with ``b`` held fixed.

The forward pass belongs to the experiment, which may offer

``activations(part: ModelPart, data: Path, b: int, position: str) -> Mapping[str, ndarray]``

with an array (inputs a = 0 ... p-1, units) for every layer in forward order, the last one named
``logits``. It raises ConfigError where ``b`` is out of range.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from versus.core import drawing
from versus.core.analysis import heat, names
from versus.core.analysis.request import Request, limited, one_of
from versus.core.analysis.sources import Recorded
from versus.core.arguments import Option, positive
from versus.core.errors import ConfigError, DataError
from versus.core.paths import project_root, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from versus.core.experiment import ModelPart

OPTIONS = (
    Option("b", "the second input, held fixed (default: 1)", int, default=1),
    Option("position", "of the sequence: 0 (a), 1 (b) or mean (default)", one_of("0", "1", "mean"),
           default="mean"),
    Option("skip-logits", "without the output layer", switch=True),
    Option("subsample", "every N-th input a (default: all)", positive, default=1),
)  # fmt: skip
Array = npt.NDArray[np.floating]
Probe = Callable[["ModelPart", Path, int, str], Mapping[str, Any]]
LOGITS = "logits"
SILENT = 1e-6


def run(request: Request) -> None:
    """Print a row per layer, and draw the layers of every variant."""
    options, probe = request.options, probe_of(request.experiment)
    folder, data = request.source.results / "models", _data(request)
    found = sorted((p.parent.name for p in folder.glob("*/config.json")), key=names.natural)
    there = [v for v in dict.fromkeys((*request.source.variants, *found)) if v in found]
    if not there:
        raise DataError(f"{shown(folder)}: holds no models; finish the training first")
    rows = []
    for variant in names.chosen("--variants", options.variants, there, "variant"):
        part = _part(folder / variant, request)
        swept = {
            name: np.asarray(values, dtype=float)
            for name, values in probe(part, data, options.b, options.position).items()
            if not (options.skip_logits and name == LOGITS)
        }
        rows += [
            {"variant": variant, "layer": name, **described(values)}
            for name, values in swept.items()
        ]
        figure = draw(request, swept, variant)
        request.save(figure, f"{variant}-b{options.b}-position-{options.position}")
    request.print_table(pd.DataFrame(rows))


def probe_of(experiment: str) -> Probe:
    """The forward pass of an experiment.

    Raises:
        ConfigError: if it offers none.
    """
    from versus.core.experiment import find

    probe = getattr(find(experiment), "activations", None)
    if probe is None:
        raise ConfigError(
            f"versus analyze {experiment} activation_probe: this experiment has no `activations` "
            "(a sweep of its inputs through the model); the other tools work for it"
        )
    found: Probe = probe
    return found


def _data(request: Request) -> Path:
    source = request.source
    if not isinstance(source, Recorded):
        raise ConfigError("--mlflow: activation_probe needs the models on disk; use --run")
    return project_root() / str(source.described["data"]["source"])


def _part(folder: Path, request: Request) -> "ModelPart":
    """The model; only the weights of one seed where ``--seeds`` names one."""
    from versus.core.analysis.stored_weights import split
    from versus.core.experiment import ModelPart
    from versus.core.models import read_model

    part = read_model(folder)
    if not request.each_seed or request.options.seeds == ["all"]:
        return part
    there = sorted({str(split(name)[0]) for name in part.weights}, key=names.natural)
    seed, *others = names.chosen("--seeds", request.options.seeds, there, "seed")
    if others:
        raise ConfigError(f"--seeds: activation_probe shows one seed; received {seed} {others}")
    own = {name: w for name, w in part.weights.items() if str(split(name)[0]) == seed}
    return ModelPart(part.name, own, part.config)


def described(values: Array) -> dict[str, object]:
    """Of activations (inputs, units): units, how many ignore the input, and their periodicity.

    ``frequency`` (cycles over all inputs) carries the largest ``share`` of the power of the units'
    deviations from their means; the constant part is left out.
    """
    centred = values - values.mean(axis=0)
    power = (np.abs(np.fft.rfft(centred, axis=0)) ** 2).sum(axis=1)[1:]
    total = float(power.sum())
    return {
        "units": values.shape[1],
        "silent": int((values.std(axis=0) < SILENT).sum()),
        "mean": float(values.mean()),
        "std": float(values.std()),
        "frequency": int(power.argmax()) + 1 if total > 0 else 0,
        "share": float(power.max()) / total if total > 0 else float("nan"),
    }


def draw(request: Request, swept: Mapping[str, Array], variant: str) -> "Figure":
    """A panel per layer: inputs a downwards, units to the right, colours around zero."""
    look, options = request.look, request.options
    limited(len(swept), "layers", "leave some out in the experiment")
    position = (
        "mean over positions" if options.position == "mean" else f"position {options.position}"
    )
    every = f"one a of {options.subsample}" if options.subsample > 1 else ""
    with look.applied():
        heading = request.heading(variant, f"b = {options.b}", position, every)
        figure, axes = drawing.panels(len(swept), drawing.Text(heading, "unit", "input a"))
        for ax, (name, values) in zip(axes, swept.items(), strict=True):
            kept = values[:: options.subsample]
            scale = heat.norm([kept], log=False, signed=True)
            image = heat.show(ax, kept, scale, look.signed_map(), step=options.subsample)
            ax.set_title(name)
            heat.bar(figure, image, [ax])
    return figure
