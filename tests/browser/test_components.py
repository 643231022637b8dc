"""The banner and the settings widget, in a real browser, on a page with the strict policy."""

import threading
from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium, Page
from tests.browser.site import Site, host_app, release
from tests.tools.feed import FakeFeed, unreachable

pytestmark = pytest.mark.browser

BANNER = "document.querySelector('update-banner').shadowRoot"
SETTINGS = "document.querySelector('version-settings').shadowRoot"
SHOWN = f"!{BANNER}.querySelector('.banner').hidden"
LOADED = f"{SETTINGS}.querySelector('time')"


class Bench:
    """A page of an app, and the source that the app asks."""

    def __init__(self, browser: Chromium, site: Site, feed: FakeFeed) -> None:
        self.site = site
        self.feed = feed
        self.page: Page = browser.page()

    def open(self) -> Page:
        self.page.open(f"{self.site.url}/")
        self.page.await_true(f"{SETTINGS} && {SETTINGS}.querySelector('[aria-busy=false]')")
        return self.page

    def text(self, selector: str) -> str:
        found: str = self.page.evaluate(f"{SETTINGS}.querySelector('{selector}').textContent")
        return found


@pytest.fixture
def bench(chromium: Chromium) -> Iterator[Bench]:
    feed = FakeFeed(release("v1.3.0"))
    with Site(host_app(feed)) as site:
        yield Bench(chromium, site, feed)


def test_the_banner_says_what_is_there_and_how_to_get_it(bench: Bench) -> None:
    page = bench.open()
    page.await_true(SHOWN)
    assert page.evaluate(f"{BANNER}.querySelector('.title').textContent") == "Update available: v1.3.0"
    assert page.evaluate(f"{BANNER}.querySelector('.command').textContent") == "./upgrade.sh"
    link = page.evaluate(f"(({{href, rel}}) => [href, rel])({BANNER}.querySelector('a'))")
    assert link == ["https://github.com/yourorg/app/releases/tag/v1.3.0", "noopener noreferrer"]
    assert page.evaluate(f"{BANNER}.querySelector('[role=status]').textContent") == "Update available: v1.3.0"


def test_two_components_ask_once_and_nobody_else(bench: Bench) -> None:
    page = bench.open()
    page.await_true(SHOWN)
    asked = page.requests()
    assert [url for url in asked if "/api/version" in url] == [f"{bench.site.url}/api/version"]
    assert all(url.startswith(bench.site.url) for url in asked)
    assert page.complaints() == []


def test_dismissed_notice_stays_hidden_until_the_next_version(bench: Bench) -> None:
    page = bench.open()
    page.await_true(SHOWN)
    page.click(f"{BANNER}.querySelector('.dismiss')")
    page.await_true(f"!({SHOWN})")
    page.reload()
    page.await_true(LOADED)
    assert not page.evaluate(SHOWN)
    bench.feed.releases = (release("v1.4.0"),)
    page.click(f"{SETTINGS}.querySelector('.check')")
    page.await_true(SHOWN)
    assert "v1.4.0" in page.evaluate(f"{BANNER}.querySelector('.title').textContent")
    page.reload()
    page.await_true(SHOWN)


def test_nothing_is_said_where_nothing_is_newer(bench: Bench) -> None:
    bench.feed.releases = (release("v1.2.3"),)
    page = bench.open()
    page.await_true(LOADED)
    assert not page.evaluate(SHOWN)
    assert bench.text(".latest") == "v1.2.3Up to date"
    assert page.evaluate("document.querySelector('update-banner').offsetHeight") == 0


def test_check_now_asks_once_and_shows_that_it_is_busy(bench: Bench) -> None:
    page = bench.open()
    page.await_true(LOADED)
    before = bench.feed.asked
    answered = threading.Event()
    bench.feed.while_asked = lambda: answered.wait(5)
    page.click(f"{SETTINGS}.querySelector('.check')")
    page.await_true(f"{SETTINGS}.querySelector('.check').getAttribute('aria-busy') === 'true'")
    assert bench.text(".check").strip() == "Checking…"
    page.click(f"{SETTINGS}.querySelector('.check')")
    answered.set()
    page.await_true(f"{SETTINGS}.querySelector('.check').getAttribute('aria-busy') === 'false'")
    assert bench.feed.asked == before + 1
    assert bench.text("[role=status]") == "An update is available."
    page.click(f"{SETTINGS}.querySelector('.check')")
    page.await_true(f"{SETTINGS}.querySelector('[role=status]').textContent.startsWith('Checked less')")
    assert bench.feed.asked == before + 1


def test_the_changelog_is_opened_and_closed_by_keyboard(bench: Bench) -> None:
    page = bench.open()
    page.await_true(LOADED)
    page.evaluate(f"{SETTINGS}.querySelector('.check').focus()")
    page.press("Tab")
    page.press("Enter")
    page.await_true(f"{SETTINGS}.querySelector('dialog').open && {SETTINGS}.querySelector('.notes h3')")
    assert bench.text("#news") == "What’s new in v1.3.0"
    inside = f"{SETTINGS}.querySelector('dialog').contains({SETTINGS}.activeElement)"
    for _ in range(6):
        page.press("Tab")
        assert page.evaluate(f"{inside} || document.activeElement === document.body")
    page.press("Escape")
    page.await_true(f"!{SETTINGS}.querySelector('dialog').open")
    assert page.evaluate(f"{SETTINGS}.activeElement.className") == "changelog"


def test_the_banner_is_dismissed_by_keyboard(bench: Bench) -> None:
    page = bench.open()
    page.await_true(SHOWN)
    for _ in range(3):  # copy, View Release, dismiss
        page.press("Tab")
    page.press(" ")
    page.await_true(f"!({SHOWN})")


def test_the_command_is_copied(bench: Bench) -> None:
    page = bench.open()
    page.await_true(SHOWN)
    page.evaluate("window.copied = ''; navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.click(f"{BANNER}.querySelector('.copy')")
    page.await_true("window.copied === './upgrade.sh'")
    page.await_true(f"{BANNER}.querySelector('[role=status]').textContent === 'Copied.'")


def test_without_a_clipboard_the_selection_is_copied(bench: Bench) -> None:
    page = bench.open()
    page.await_true(SHOWN)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.evaluate("document.execCommand = () => { window.copied = getSelection().toString(); return true; }")
    page.click(f"{BANNER}.querySelector('.copy')")
    page.await_true(f"{BANNER}.querySelector('[role=status]').textContent === 'Copied.'")


def test_the_age_of_the_answer_is_kept_fresh(bench: Bench) -> None:
    page = bench.open()
    page.await_true(LOADED)
    assert bench.text(".checked") == "Just now"
    for later_s, words in ((130, "2 minutes ago"), (7300, "2 hours ago"), (90000, "1 day ago")):
        page.evaluate(f"Date.real ??= Date.now; Date.now = () => Date.real() + {later_s * 1000}")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert bench.text(".checked") == words


def test_component_reports_offline_and_recovers_when_the_network_is_back(bench: Bench) -> None:
    page = bench.open()
    page.await_true(LOADED)
    page.go_offline()
    page.click(f"{SETTINGS}.querySelector('.check')")
    page.await_true(f"!{SETTINGS}.querySelector('.notice').hidden")
    assert bench.text(".notice") == "The last check failed. You are offline."
    assert bench.text(".latest").startswith("v1.3.0")
    page.go_offline(False)
    page.await_true(f"{SETTINGS}.querySelector('.notice').hidden")


def test_without_any_answer_the_widget_says_why_and_what_runs(bench: Bench) -> None:
    bench.feed.error = unreachable()
    page = bench.open()
    page.await_true(f"!{SETTINGS}.querySelector('.notice').hidden")
    assert bench.text(".notice") == "Could not check for updates. The release source did not answer."
    assert (bench.text(".current"), bench.text(".latest"), bench.text(".checked")) == ("v1.2.3", "Unknown", "Unknown")
    assert page.evaluate(f"{SETTINGS}.querySelector('.changelog').hidden")
    assert not page.evaluate(SHOWN)


def test_a_stale_answer_is_shown_as_one(bench: Bench) -> None:
    page = bench.open()
    page.await_true(LOADED)
    bench.feed.error = unreachable()
    page.click(f"{SETTINGS}.querySelector('.check')")
    page.await_true(f"!{SETTINGS}.querySelector('.notice').hidden")
    assert bench.text(".notice") == "The last check failed. The release source did not answer."
    assert page.evaluate(SHOWN)


def test_a_changelog_that_cannot_be_loaded_is_said_in_the_dialog(bench: Bench) -> None:
    page = bench.open()
    page.await_true(LOADED)
    page.go_offline()
    page.click(f"{SETTINGS}.querySelector('.changelog')")
    page.await_true(f"{SETTINGS}.querySelector('.notes').textContent.startsWith('The changelog could not be loaded')")


def test_a_development_build_is_named_and_offered_nothing(chromium: Chromium) -> None:
    feed = FakeFeed(release())
    with Site(host_app(feed, current="dev")) as site:
        bench = Bench(chromium, site, feed)
        page = bench.open()
        page.await_true(LOADED)
        assert bench.text(".current") == "Development build"
        assert bench.text(".latest") == "v1.3.0"
        assert not page.evaluate(SHOWN)


def test_a_page_changes_the_look_from_outside(bench: Bench) -> None:
    page = bench.open()
    page.await_true(SHOWN)
    page.evaluate("document.querySelector('update-banner').style.setProperty('--version-radius', '3px')")
    assert page.evaluate(f"getComputedStyle({BANNER}.querySelector('.banner')).borderRadius") == "3px"
    page.evaluate("document.adoptedStyleSheets = [new CSSStyleSheet()]")
    page.evaluate("document.adoptedStyleSheets[0].replaceSync('update-banner::part(title) { color: rgb(1, 2, 3) }')")
    assert page.evaluate(f"getComputedStyle({BANNER}.querySelector('.title')).color") == "rgb(1, 2, 3)"


def test_light_or_dark_follows_the_page(bench: Bench) -> None:
    page = bench.open()
    page.await_true(SHOWN)
    colour = f"getComputedStyle({SETTINGS}.querySelector('.card')).backgroundColor"
    light = page.evaluate(colour)
    page.evaluate("document.documentElement.style.colorScheme = 'dark'")
    assert (light, page.evaluate(colour)) == ("rgb(255, 255, 255)", "rgb(23, 25, 28)")


def test_an_element_that_is_moved_or_pointed_elsewhere_goes_on(bench: Bench) -> None:
    page = bench.open()
    page.await_true(SHOWN)
    page.evaluate("document.body.append(document.querySelector('update-banner'))")
    page.evaluate("document.querySelector('update-banner').setAttribute('command', 'make upgrade')")
    page.await_true(f"{BANNER}.querySelector('.command').textContent === 'make upgrade' && {SHOWN}")
    assert page.complaints() == []
