"""axe finds nothing on any page in any state, light or dark; what it looked at is kept as a screenshot."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium, Page
from tests.browser.npm import ensure_packages
from tests.browser.site import Site, host_app, release
from tests.tools.build import RECOVERY
from tests.tools.feed import FakeFeed, unreachable
from tests.tools.past import RunUnderWay, make_past
from webapi.app import create_app

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])]

_SETTINGS = "document.querySelector('version-settings').shadowRoot"
_BANNER = "document.querySelector('update-banner').shadowRoot"
_RUN_AXE = "axe.run(document).then(({violations}) => violations.map(({id, nodes}) => [id, nodes.map((n) => n.html)]))"


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core."""
    return (ensure_packages() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def feed() -> FakeFeed:
    """What the app's source says."""
    return FakeFeed(release())


@pytest.fixture
def site(feed: FakeFeed) -> Iterator[Site]:
    """An app with both components."""
    with Site(host_app(feed)) as found:
        yield found


def look(page: Page, axe: str, screens: Path, name: str, *, dark: bool) -> None:
    """Keep a screenshot, and let axe look for what somebody could not see, hear or reach."""
    page.screenshot(screens / f"{name}-{'dark' if dark else 'light'}.png")
    page.evaluate(axe)
    assert page.evaluate(_RUN_AXE) == []


def test_banner_and_settings(chromium: Chromium, site: Site, axe: str, screens: Path, *, dark: bool) -> None:
    page = chromium.page(dark=dark, height=480)
    page.open(f"{site.url}/")
    page.await_true(f"{_SETTINGS}.querySelector('.badge') && !{_BANNER}.querySelector('.banner').hidden")
    look(page, axe, screens, "components", dark=dark)


def test_on_a_narrow_page(chromium: Chromium, site: Site, axe: str, screens: Path, *, dark: bool) -> None:
    page = chromium.page(dark=dark, width=340, height=640)
    page.open(f"{site.url}/")
    page.await_true(f"{_SETTINGS}.querySelector('.badge') && !{_BANNER}.querySelector('.banner').hidden")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    look(page, axe, screens, "narrow", dark=dark)


def test_the_changelog(chromium: Chromium, site: Site, axe: str, screens: Path, *, dark: bool) -> None:
    page = chromium.page(dark=dark, height=640)
    page.open(f"{site.url}/")
    page.await_true(f"{_SETTINGS}.querySelector('.badge')")
    page.click(f"{_SETTINGS}.querySelector('.changelog')")
    page.await_true(f"{_SETTINGS}.querySelector('.notes h3')")
    look(page, axe, screens, "changelog", dark=dark)


def test_a_source_that_fails(
    chromium: Chromium, site: Site, feed: FakeFeed, axe: str, screens: Path, *, dark: bool
) -> None:
    feed.error = unreachable()
    page = chromium.page(dark=dark, height=480)
    page.open(f"{site.url}/")
    page.await_true(f"!{_SETTINGS}.querySelector('.notice').hidden")
    look(page, axe, screens, "problem", dark=dark)


def test_the_run_page(chromium: Chromium, tmp_path: Path, axe: str, screens: Path, *, dark: bool) -> None:
    plan = make_past(tmp_path)
    run = RunUnderWay(plan)
    for state, outcome in (("check", "newer"), ("preflight", "done"), ("confirm", "accepted"), ("prefetch", "done")):
        run.enter(state)
        run.leave(state, outcome, "1.1.0 → 1.4.0" if state == "check" else "")
    run.enter("backup")
    stopping = threading.Event()
    app = create_app(
        plan, FakeFeed(release("v1.4.0")), lambda: "1.1.0", token=None, stopping=stopping, recovery=RECOVERY
    )
    with Site(app, stopping=stopping) as site:
        page = chromium.page(dark=dark, width=1200, height=900)
        page.open(f"{site.url}/")
        page.await_true("document.querySelectorAll('#history tr').length === 4")
        look(page, axe, screens, "run", dark=dark)
        page.click("document.querySelectorAll('#history button')[1]")
        page.await_true("document.getElementById('verdict').textContent === 'Refused'")
        look(page, axe, screens, "run-refused", dark=dark)
