"""How pictures look, dark or on paper, and how they are written."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from versus.core.paths import replacing

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

INK, NIGHT = "#D7DAE0", "#282C34"
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))


@dataclass(frozen=True)
class Look:
    """Colours and settings of one style.

    Attributes:
        name: ``dark`` or ``paper``.
        palette: colours of variants, in order; they repeat with another dash pattern.
        ink: text and axes; also the edge of marks.
        shade: what stands back: rests, reference lines.
        ramp: colour map of magnitudes.
        signed: low, zero and high of the colours of signed values; zero is like the background.
        settings: further Matplotlib settings.
    """

    name: str
    palette: tuple[str, ...]
    ink: str
    shade: str
    ramp: str
    signed: tuple[str, str, str]
    settings: dict[str, Any] = field(default_factory=dict)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Matplotlib with these settings, and the caller's settings afterwards."""
        import matplotlib

        from versus.core import drawing  # SciPy's statistics come with it

        settings: dict[Any, Any] = {**drawing.STYLE, **self.settings}
        with matplotlib.rc_context(settings):
            yield

    def signed_map(self) -> "Colormap":
        """The colour map of signed values."""
        from matplotlib.colors import LinearSegmentedColormap

        return LinearSegmentedColormap.from_list("signed", self.signed)

    def colours(self, names: Iterable[str]) -> dict[str, str]:
        """A colour per name, by the order given."""
        distinct = dict.fromkeys(names)
        return {name: self.palette[i % len(self.palette)] for i, name in enumerate(distinct)}

    def dashes(self, names: Iterable[str]) -> dict[str, Any]:
        """A dash pattern per name: solid until the colours repeat."""
        distinct = dict.fromkeys(names)
        rounds = {name: i // len(self.palette) for i, name in enumerate(distinct)}
        return {name: DASHES[turn % len(DASHES)] for name, turn in rounds.items()}


_COMMON = {
    "lines.linewidth": 1.6,
    "legend.fontsize": 9.0,
    # Text stays text in SVG, and equal pictures give equal files.
    "svg.fonttype": "none",
    "svg.hashsalt": "versus",
}
DARK = Look(
    "dark",
    palette=(
        "#61AFEF",
        "#E5C07B",
        "#98C379",
        "#E06C75",
        "#C678DD",
        "#2BD9C6",
        "#FF9E57",
        "#F5F7FA",
        "#FF79C6",
        "#7D86FF",
    ),
    ink=INK,
    shade="#7F848E",
    ramp="viridis",
    signed=("#61AFEF", "#2F343E", "#FF9E57"),
    settings={
        **_COMMON,
        **{
            key: NIGHT
            for key in (
                "figure.facecolor",
                "axes.facecolor",
                "savefig.facecolor",
                "figure.edgecolor",
            )
        },
        **{
            key: INK
            for key in (
                "text.color",
                "axes.labelcolor",
                "axes.titlecolor",
                "xtick.color",
                "ytick.color",
            )
        },
        "axes.edgecolor": "#7F848E",
        "grid.color": "#3B414D",
    },
)
PAPER = Look(
    "paper",
    # Okabe and Ito (2008), as recommended by Wong (2011); yellow last: it is faint on white.
    palette=(
        "#0072B2",
        "#D55E00",
        "#009E73",
        "#CC79A7",
        "#E69F00",
        "#56B4E9",
        "#000000",
        "#F0E442",
    ),
    ink="#000000",
    shade="#8A8A8A",
    ramp="viridis",
    signed=("#0072B2", "#F7F7F7", "#D55E00"),
    settings={**_COMMON, "figure.facecolor": "white", "axes.facecolor": "white"},
)
LOOKS = {look.name: look for look in (DARK, PAPER)}


def save(figure: "Figure", path: Path, look: Look, dpi: int) -> Path:
    """Write ``figure`` in the format that the ending of ``path`` names, whole or not at all.

    Raises:
        DataError: if the folder cannot be written.
    """
    plain = {"Software": None} if path.suffix == ".png" else {"Date": None}
    with look.applied(), replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=dpi, metadata=plain)
    return path
