"""The page of ``orchestrator serve`` while a run goes on."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.plan.schema import Plan
from tests.browser.chromium import Chromium, Page
from tests.browser.site import Site, release
from tests.tools.build import RECOVERY
from tests.tools.feed import FakeFeed
from tests.tools.past import RUN, RunUnderWay, make_past
from webapi.app import create_app

pytestmark = pytest.mark.browser

_TIMELINE = "[...document.querySelectorAll('#timeline li')].map((line) => line.querySelector('.name').textContent)"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A plan with a past."""
    return make_past(tmp_path)


@pytest.fixture
def site(plan: Plan) -> Iterator[Site]:
    """Its page."""
    stopping = threading.Event()
    app = create_app(
        plan, FakeFeed(release("v1.4.0")), lambda: "1.1.0", token=None, stopping=stopping, recovery=RECOVERY
    )
    with Site(app, stopping=stopping) as found:
        yield found


def state_of(page: Page, name: str) -> str | None:
    found: str | None = page.evaluate(f"document.querySelector('[data-node={name}]').dataset.state ?? null")
    return found


def test_the_newest_run_and_all_before_it_are_shown(chromium: Chromium, site: Site) -> None:
    page = chromium.page()
    page.open(f"{site.url}/")
    page.await_true("document.querySelectorAll('#history tr').length === 3")
    assert page.evaluate("document.getElementById('lead').textContent") == "Upgrade from 1.1.0 to 1.3.0"
    assert page.evaluate("document.getElementById('verdict').textContent") == "Refused"
    assert (state_of(page, "backup"), state_of(page, "rehearse"), state_of(page, "refused")) == (
        "done",
        "failed",
        "warn",
    )
    assert page.evaluate("document.querySelector('[data-line=\"rehearse refused\"]').classList.contains('taken')")
    assert page.complaints() == []
    assert all(url.startswith(site.url) for url in page.requests())


def test_a_run_is_followed_while_it_goes_on(chromium: Chromium, site: Site, plan: Plan) -> None:
    page = chromium.page()
    page.open(f"{site.url}/")
    page.await_true("document.getElementById('link').dataset.state === 'live'")
    run = RunUnderWay(plan)
    run.enter("check")
    page.await_true("document.querySelector('[data-node=check]').dataset.state === 'active'")
    assert page.evaluate("document.getElementById('verdict').textContent") == "Under way"
    run.leave("check", "newer", "1.1.0 → 1.4.0")
    run.enter("preflight")
    page.await_true("document.querySelector('[data-node=preflight]').dataset.state === 'active'")
    assert state_of(page, "check") == "done"
    assert page.evaluate(_TIMELINE) == ["checknewer", "preflightunder way"]
    run.leave("preflight", "failed", "The disk is <b>full</b>.")
    page.await_true("document.querySelector('[data-node=preflight]').dataset.state === 'failed'")
    assert "<b>full</b>" in page.evaluate("document.getElementById('timeline').textContent")
    assert page.evaluate("document.querySelectorAll('#timeline b').length") == 0
    assert page.evaluate("document.querySelector('#history tr button').textContent") == RUN


def test_an_earlier_run_is_chosen_by_keyboard_and_kept_in_the_address(chromium: Chromium, site: Site) -> None:
    page = chromium.page()
    page.open(f"{site.url}/")
    page.await_true("document.querySelectorAll('#history tr').length === 3")
    page.evaluate("document.querySelectorAll('#history button')[2].focus()")
    page.press("Enter")
    page.await_true("document.getElementById('verdict').textContent === 'Upgraded'")
    assert state_of(page, "upgraded") == "done"
    page.reload()
    page.await_true("document.getElementById('verdict').textContent === 'Upgraded'")


def test_a_connection_that_is_lost_is_said(chromium: Chromium, plan: Plan) -> None:
    stopping = threading.Event()
    app = create_app(plan, FakeFeed(), lambda: "1.1.0", token=None, stopping=stopping, recovery=RECOVERY)
    with Site(app, stopping=stopping) as site:
        page = chromium.page()
        page.open(f"{site.url}/")
        page.await_true("document.getElementById('link').dataset.state === 'live'")
    page.await_true("document.getElementById('link').dataset.state === 'lost'")
    assert "trying again" in page.evaluate("document.getElementById('link').textContent")
