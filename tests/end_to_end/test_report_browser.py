"""The report in a real browser: at the width of a phone and of a desk, light and dark."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.browser import Browser, browser, installed
from tests.unit.core.test_report import HOSTILE, claims, results
from versus.core.report import page

pytestmark = pytest.mark.skipif(
    installed() is None,
    reason="no browser: install chromium (Debian: apt-get install chromium) or google-chrome",
)
CONTRAST = """
(() => {
  const parsed = text => text.match(/[0-9.]+/g).slice(0, 3).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = el => { for (; el; el = el.parentElement) {
      const found = getComputedStyle(el).backgroundColor;
      if (!found.endsWith(', 0)')) return found; } return 'rgb(255, 255, 255)'; };
  const told = document.querySelectorAll('p, a:not(.skip), td, th, li, dt, h1, h2, figcaption');
  return Math.min(...[...told]
    .map(el => [getComputedStyle(el).color, behind(el)].map(colour => light(parsed(colour))))
    .map(pair => (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)));
})()
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("report")
    found = results(folder / "smoke" / "memory", findings=("Alpha looks back.", HOSTILE))
    html, _ = page.write([found], folder / "report.html", claims(folder))
    program = installed()
    assert program is not None
    with browser(program, folder / "profile") as one:
        one.open(html)
        yield one


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(shown: Browser, width: int) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    shown.send("Emulation.setDeviceMetricsOverride", **size)
    shown.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert shown.evaluate("innerWidth") == width
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.evaluate("document.querySelectorAll('table').length") >= 5


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(shown: Browser, scheme: str) -> None:
    shown.media(prefers_color_scheme=scheme)
    dark = shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    assert dark == (scheme == "dark")
    assert shown.evaluate(CONTRAST) >= 4.5  # level AA of WCAG 2.2


@pytest.mark.slow
def test_pictures_are_there_and_nothing_is_fetched_or_run(shown: Browser) -> None:
    loaded = "[...document.images].map(async one => (await one.decode(), one.naturalWidth))"
    shown.evaluate("document.querySelectorAll('img').forEach(one => one.loading = 'eager')")
    assert shown.evaluate(f"Promise.all({loaded})") == [1]
    assert all(url.startswith(("file:", "data:")) for url in shown.requests())
    assert shown.complaints() == []
    assert shown.evaluate("document.querySelectorAll('h1').length") == 1
    assert shown.evaluate("document.documentElement.lang") == "en"
