"""Weight matrices as pictures, and what their strongest singular directions show.

Of a matrix with many rows (an embedding, a decoder), rows are also shown in the order of the first
singular direction, beside their coordinates along the first directions: structure that the order
of the rows hides appears there.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from versus.core import drawing
from versus.core.analysis import heat, names, stored_weights
from versus.core.analysis.request import Request, limited
from versus.core.analysis.stored_weights import Array, as_matrix
from versus.core.analysis.weight_compare import effective_rank
from versus.core.arguments import Option, positive
from versus.core.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OPTIONS = (
    Option("layers", "only these layers: names or patterns (*attn*)", many=True),
    Option("svd-components", "singular directions shown (default: 8)", positive, default=8),
)
TALL = 3.0


def run(request: Request) -> None:
    """Print a row per matrix, and draw the matrices and the singular directions per variant."""
    models = stored_weights.read(request)
    rows = []
    for variant, seeds in models.items():
        seed, layers = stored_weights.first_seed(seeds)
        matrices = chosen(layers, request)
        rows += [
            {"variant": variant, "seed": seed, "matrix": name, **described(matrix)}
            for name, matrix in matrices.items()
        ]
        figure = draw(request, matrices, f"{variant}, seed {seed}")
        request.save(figure, f"weights-{variant}-seed{seed}")
        figure = draw_singular(request, tall(matrices), f"{variant}, seed {seed}")
        request.save(figure, f"singular-{variant}-seed{seed}")
    request.print_table(pd.DataFrame(rows))


def chosen(layers: Mapping[str, Array], request: Request) -> dict[str, Array]:
    """The matrices among the layers that ``--layers`` names."""
    matrices = {name: as_matrix(w) for name, w in layers.items() if w.ndim >= 2}
    if not matrices:
        raise DataError("versus analyze weight_heatmap: the models hold no matrix")
    if not request.options.layers:
        return matrices
    kept = names.resolve(request.options.layers, list(matrices), request.display.note, "--layers")
    return {name: matrices[name] for name in kept}


def described(matrix: Array) -> dict[str, object]:
    """Shape, spread, largest magnitude, norm and effective rank."""
    return {
        "shape": "×".join(map(str, matrix.shape)),
        "std": float(matrix.std()),
        "largest": float(np.abs(matrix).max()),
        "norm": float(np.linalg.norm(matrix)),
        "effective rank": effective_rank(np.linalg.svd(matrix, compute_uv=False)),
    }


def tall(matrices: Mapping[str, Array]) -> dict[str, Array]:
    """The matrices with many more rows than columns; where there is none, the largest one."""
    found = {name: m for name, m in matrices.items() if m.shape[0] >= TALL * m.shape[1]}
    largest = max(matrices, key=lambda name: matrices[name].size)
    return found or {largest: matrices[largest]}


def projected(
    matrix: Array, components: int
) -> tuple[Array, "np.ndarray[tuple[int], np.dtype[np.intp]]"]:
    """Coordinates of the rows along the first singular directions, and their order by the first.

    Returns:
        Coordinates (rows, min(components, rank)) in the given order of rows, and the order (rows,).
        Directions are turned so that the coordinate of largest magnitude is positive.
    """
    left, singular, _ = np.linalg.svd(matrix, full_matrices=False)
    coordinates = (left * singular)[:, :components]
    extreme = coordinates[np.abs(coordinates).argmax(axis=0), range(coordinates.shape[1])]
    coordinates = coordinates * np.where(extreme < 0, -1.0, 1.0)
    return coordinates, np.argsort(coordinates[:, 0], kind="stable")


def draw(request: Request, matrices: Mapping[str, Array], about: str) -> "Figure":
    """A panel per matrix with its own colours around zero: layers differ in size by far."""
    limited(len(matrices), "matrices", "choose some with --layers")
    look = request.look
    with look.applied():
        text = drawing.Text(request.heading(about), "", "")
        figure, axes = drawing.panels(len(matrices), text, height=2.6)
        for ax, (name, matrix) in zip(axes, matrices.items(), strict=True):
            scale = heat.norm([matrix], log=False, signed=True)
            heat.bar(figure, heat.show(ax, matrix, scale, look.signed_map()), [ax])
            ax.set_title(f"{name} ({'×'.join(map(str, matrix.shape))})", fontsize=9)
            ax.tick_params(labelsize=8)
    return figure


def draw_singular(request: Request, matrices: Mapping[str, Array], about: str) -> "Figure":
    """Per matrix: rows by the first singular direction, and coordinates along the first ones."""
    limited(3 * len(matrices), "views of tall matrices", "choose some with --layers")
    look, count = request.look, request.options.svd_components
    with look.applied():
        text = drawing.Text(request.heading(about), "", "")
        figure, axes = drawing.panels(3 * len(matrices), text, height=4.0)
        for index, (name, matrix) in enumerate(matrices.items()):
            coordinates, order = projected(matrix, count)
            views: Sequence[tuple[str, Array]] = (
                (f"{name}\nrows by the first direction", matrix[order]),
                ("coordinates, rows by the first direction", coordinates[order]),
                ("coordinates, rows as they are", coordinates),
            )
            for ax, (title, view) in zip(axes[3 * index : 3 * index + 3], views, strict=True):
                scale = heat.norm([view], log=False, signed=True)
                image = heat.show(ax, view, scale, look.signed_map())
                ax.set_title(title, fontsize=9)
                ax.set_xlabel("column" if view is views[0][1] else "singular direction")
                if view is not views[0][1]:
                    labels = [str(direction + 1) for direction in range(view.shape[1])]
                    ax.set_xticks(range(view.shape[1]), labels, fontsize=8)
                heat.bar(figure, image, [ax])
            axes[3 * index].set_ylabel("row")
    return figure
