"""The analysis tools by name. Listing them imports none of them."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from versus.core.analysis.names import unknown
from versus.core.analysis.request import Request
from versus.core.arguments import Option


class Module(Protocol):
    """The module of a tool."""

    OPTIONS: Sequence[Option]

    def run(self, request: Request) -> None:
        """Print a summary and write the pictures."""


@dataclass(frozen=True)
class Tool:
    """A tool: what it shows, and the module below :mod:`versus.core.analysis` that does it."""

    about: str
    module: str

    def load(self) -> Module:
        """Import the module."""
        return cast(Module, importlib.import_module(f"versus.core.analysis.{self.module}"))


TOOLS = {
    "metric_plot": Tool("metrics over training, variants overlaid or side by side", "metric_plot"),
    "convergence": Tool("when a metric crosses a threshold and stays there", "convergence"),
    "compare": Tool("final, min and max per variant, paired differences by seed", "compare"),
    "correlation": Tool("correlations between metrics: heatmaps, or scatter plots", "correlation"),
    "layer_dynamics": Tool("a metric of every layer over training, as heatmaps", "layer_dynamics"),
    "weight_compare": Tool("final weights: norms, singular values, similarity", "weight_compare"),
    "export_table": Tool("a table for a paper or a page: LaTeX or Markdown", "export_table"),
    "area_plot": Tool("how the parts of a metric share its total over training", "area_plot"),
    "weight_heatmap": Tool("weight matrices and their singular projections", "weight_heatmap"),
    "activation_probe": Tool("activations of every layer over a sweep of inputs", "activations"),
}


def find(name: str) -> Tool:
    """The tool of a name; hyphens may stand for underscores.

    Raises:
        ConfigError: naming the nearest, if there is none.
    """
    word = name.replace("-", "_")
    if word not in TOOLS:
        raise unknown("versus analyze", name, list(TOOLS), "tool")
    return TOOLS[word]
