"""The examples work as they stand, bundled as their readers would bundle them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium
from tests.browser.npm import ensure_packages
from tests.browser.site import Site, host_app, release
from tests.tools.feed import FakeFeed

pytestmark = pytest.mark.browser

EXAMPLES = Path(__file__).parents[2] / "webapi" / "examples"
BUNDLE_TIMEOUT_S = 60
_BANNER = "document.querySelector('update-banner').shadowRoot"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Settings</title><link rel="icon" href="/api/components/mark.svg">
<script type="module" src="/bundle.js"></script></head><body><div id="root"></div></body></html>
"""


def bundle(source: Path, folder: Path) -> str:
    """One module with the framework in it; the components stay where the app serves them."""
    packages = ensure_packages()
    (folder / "node_modules").symlink_to(packages)
    entry = folder / source.name
    entry.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    argv = [str(packages / ".bin" / "esbuild"), str(entry), "--bundle", "--format=esm", "--jsx=automatic"]
    argv += ["--external:/api/components/*", "--define:process.env.NODE_ENV='production'", "--log-level=error"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=BUNDLE_TIMEOUT_S)
    return done.stdout


@pytest.fixture(params=["react/App.jsx", "vue/main.js"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """An app whose page is the bundled example, under the strict policy."""
    script = bundle(EXAMPLES / request.param, tmp_path)
    app = host_app(FakeFeed(release()), page=_PAGE)
    app.add_url_rule("/bundle.js", "bundle", lambda: (script, {"Content-Type": "text/javascript"}))
    with Site(app) as found:
        yield found


def test_a_framework_shows_the_components_and_hears_of_them(chromium: Chromium, site: Site) -> None:
    page = chromium.page()
    page.open(f"{site.url}/")
    page.await_true(f"!{_BANNER}.querySelector('.banner').hidden")
    page.await_true("document.querySelector('version-settings').shadowRoot.querySelector('.badge')")
    page.click(f"{_BANNER}.querySelector('.dismiss')")
    page.await_true("document.querySelector('main p').textContent === 'You will hear of the version after 1.3.0.'")
    assert page.evaluate(f"{_BANNER}.querySelector('.banner').hidden")
    assert page.complaints() == []


def test_a_page_without_a_framework_shows_them(chromium: Chromium) -> None:
    page_of_example = (EXAMPLES / "static" / "index.html").read_text(encoding="utf-8")
    with Site(host_app(FakeFeed(release()), page=page_of_example)) as site:
        page = chromium.page()
        page.open(f"{site.url}/")
        page.await_true(f"!{_BANNER}.querySelector('.banner').hidden")
        page.await_true("document.querySelector('version-settings').shadowRoot.querySelector('.badge')")
