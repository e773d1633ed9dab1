"""The report as a Markdown page, and as an HTML page that needs nothing beside it.

What stands in verdicts came from params files and runs; the HTML page takes none of it as markup.
"""

import base64
from collections.abc import Sequence
from pathlib import Path

from versus.core.claims.page import as_table
from versus.core.errors import DataError
from versus.core.paths import read_json, shown, sweep_beside, write_text
from versus.core.report.chapters import Chapter, read

TEMPLATE = Path(__file__).with_name("page.html.j2")


def write(results: Sequence[Path], page: Path, claims: Path) -> list[Path]:
    """Write a report beside its Markdown.

    Args:
        results: folders with a verdict.
        page: path of the HTML; the Markdown has the suffix ``.md``.
        claims: ``claims.json`` of ``versus claims``, if it was run.

    Returns:
        Both files.

    Raises:
        DataError: if there is no verdict, or a file is torn.
    """
    chapters = [read(folder) for folder in results if (folder / "verdict.json").is_file()]
    if not chapters:
        raise DataError(f"{shown(page.parent)}: no verdict; run `dvc repro` or `make demo` first")
    known = read_json(claims) if claims.is_file() else {}
    stated = {c.name: as_table(known, c.name) for c in chapters}
    markdown = page.with_suffix(".md")
    for path, text in (
        (markdown, _markdown(chapters, stated, page)),
        (page, html(chapters, stated)),
    ):
        sweep_beside(path)
        write_text(path, text)
    return [page, markdown]


def _markdown(chapters: Sequence[Chapter], claims: dict[str, str], page: Path) -> str:
    parts = ["# Report"]
    for one in chapters:
        parts += [f"## {one.name}: {one.question}", f"Profile {one.profile}.", one.brief.strip()]
        parts += ["\n".join(f"- {text}" for text in [*one.findings, *one.caveats])]
        parts += [f"![{_title(p)}]({p.relative_to(page.parent)})" for p in one.pictures]
        parts += [one.full.strip(), "### Cost", one.cost]
        parts += ["### Models, measured again", one.measured] if one.measured else []
        parts += ["### Claims", claims[one.name]] if claims[one.name] else []
        told = (f"- {name}: {text}" for name, text in one.lineage.items())
        parts += ["### Where it comes from", "\n".join(told)]
    return "\n\n".join(part for part in parts if part) + "\n"


def html(chapters: Sequence[Chapter], claims: dict[str, str]) -> str:
    """The page; ``claims`` are tables by experiment, as Markdown."""
    from jinja2 import Environment, StrictUndefined
    from markdown_it import MarkdownIt
    from markupsafe import Markup

    # Markup within Markdown stays text.
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")

    def rendered(text: str) -> Markup:
        table = '<div class="wide" tabindex="0" role="region" aria-label="table"><table>'
        found = reader.render(text).replace("<table>", table)
        return Markup(found.replace("</table>", "</table></div>"))

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"markdown": rendered, "title": _title, "embedded": _embedded}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(chapters=chapters, claims=claims)


def _title(picture: Path) -> str:
    return picture.stem.replace("_", " ").replace("-", " ")


def _embedded(picture: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
