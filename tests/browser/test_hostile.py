"""Release notes that mean no good, shown by a real browser: nothing runs, nothing is asked, nothing else is left."""

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.browser.chromium import Chromium, Page
from tests.browser.site import Site, host_app, release
from tests.tools.feed import FakeFeed
from tests.tools.hostile_notes import HOSTILE_NOTES
from webapi import version_blueprint
from webapi.notes import ALLOWED

pytestmark = pytest.mark.browser

_SETTINGS = "document.querySelector('version-settings').shadowRoot"
_READ_NODES = f"""
[...{_SETTINGS}.querySelector('.notes').querySelectorAll('*')].map((node) =>
  [node.localName, Object.fromEntries([...node.attributes].map(({{name, value}}) => [name, value]))])
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Settings</title><link rel="icon" href="/api/components/mark.svg">
<script type="module" src="/api/components/version-settings.js"></script></head>
<body><version-settings endpoint="/0/version"></version-settings><div id="raw"></div></body></html>
"""


def app_of_all_notes(*, policy: bool) -> Flask:
    """An app with one endpoint for each of the notes."""
    app = host_app(FakeFeed(), policy=policy, page=_PAGE)
    for number, notes in enumerate(HOSTILE_NOTES):
        feed = FakeFeed(release(notes=notes))
        app.register_blueprint(version_blueprint(feed, current="1.0.0", name=f"v{number}", url_prefix=f"/{number}"))
    return app


@pytest.fixture(scope="module", params=[True, False], ids=["with the policy", "without a policy"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The same app twice."""
    with Site(app_of_all_notes(policy=request.param)) as found:
        yield found


def test_list_has_sixty_entries() -> None:
    assert len(set(HOSTILE_NOTES)) >= 60


def test_hostile_notes_do_nothing_in_the_dialog(chromium: Chromium, site: Site) -> None:
    page = chromium.page()
    page.open(f"{site.url}/")
    for number, notes in enumerate(HOSTILE_NOTES):
        assert (notes, _show(page, number)) == (notes, [])
    page.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert page.evaluate("window.pwned ?? null") is None
    assert [url for url in page.requests() if not url.startswith(site.url)] == []
    assert page.evaluate("location.pathname") == "/"


def test_unsanitized_text_runs_nothing_under_the_policy(chromium: Chromium) -> None:
    payloads = [notes for notes in HOSTILE_NOTES if notes.startswith("<") and "http-equiv" not in notes]
    with Site(app_of_all_notes(policy=True)) as site:
        page = chromium.page()
        page.open(f"{site.url}/")
        page.await_true(_SETTINGS)
        for payload in payloads:
            page.evaluate(f"document.getElementById('raw').innerHTML = {payload!r}")
        page.evaluate("new Promise((done) => setTimeout(done, 300))")
        assert page.evaluate("window.pwned ?? null") is None
    assert len(payloads) > 40


def _show(page: Page, number: int) -> list[object]:
    """Open the changelog of one endpoint; what of its nodes is not allowed."""
    page.evaluate(f"document.querySelector('version-settings').setAttribute('endpoint', '/{number}/version')")
    page.await_true(f"!{_SETTINGS}.querySelector('.changelog').hidden")
    page.evaluate(f"{_SETTINGS}.querySelector('.changelog').click()")
    page.await_true(f"!{_SETTINGS}.querySelector('.notes .wait')")
    nodes = page.evaluate(_READ_NODES)
    page.evaluate(f"{_SETTINGS}.querySelector('dialog').close()")
    return [node for node in nodes if not _is_allowed(*node)]


def _is_allowed(name: str, attributes: dict[str, str]) -> bool:
    if name not in ALLOWED or not attributes.keys() <= ({"href", "rel", "target"} if name == "a" else set()):
        return False
    return attributes.get("href", "https://").startswith("https://")
