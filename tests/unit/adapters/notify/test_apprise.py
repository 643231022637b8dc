"""Notifications through Apprise, to a server on loopback: none of its troubles is ours, and no address is told."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from orchestrator.adapters.notify.apprise import AppriseNotifier
from orchestrator.core.model.notices import Notice, NoticeLevel

# Apprise imports it for Pythons that still have it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

NOTICE = Notice(title="ledger: rolled back", body="1.0.0 → 1.2.0", level=NoticeLevel.WARNING)
CANARY = "c4nary-9Zx8Yw7Vu6"


def address(server: HTTPServer, path: str) -> str:
    return f"json://kim:{CANARY}@{server.host}:{server.port}{path}"


def notifier(*urls: str, file: Path | None = None) -> AppriseNotifier:
    return AppriseNotifier("URLS", file, {"URLS": " ".join(urls)})


def test_everybody_is_told(httpserver: HTTPServer, tmp_path: Path) -> None:
    for path in ("/one", "/two"):
        httpserver.expect_request(path, method="POST").respond_with_data("")
    file = tmp_path / "urls"
    file.touch(mode=0o600)
    file.write_text(f"# who sleeps least\n\n{address(httpserver, '/two')}\n")
    assert notifier(address(httpserver, "/one"), file=file).send(NOTICE, timeout_s=30) == ()
    told = {request.path: request.get_json() for request, _ in httpserver.log}
    assert set(told) == {"/one", "/two"}
    assert {(one["title"], one["message"], one["type"]) for one in told.values()} == {
        ("ledger: rolled back", "1.0.0 → 1.2.0", "warning")
    }


def test_refusing_address_does_not_stop_other_notifications(
    httpserver: HTTPServer, capfd: pytest.CaptureFixture[str]
) -> None:
    httpserver.expect_request("/bad").respond_with_data("", status=500)
    httpserver.expect_request("/good").respond_with_data("")
    urls = [address(httpserver, "/bad"), "nonsense", f"unheard-of://{CANARY}", address(httpserver, "/good")]
    problems = notifier(*urls).send(NOTICE, timeout_s=30)
    assert problems == (
        "Notification address 1 (json) could not be told.",
        "Notification address 2 is not one that Apprise knows.",
        "Notification address 3 is not one that Apprise knows.",
    )
    assert [request.path for request, _ in httpserver.log].count("/good") == 1
    said = capfd.readouterr()
    assert CANARY not in said.out + said.err


def test_silent_address_is_given_up_after_the_timeout(httpserver: HTTPServer) -> None:
    answered = threading.Event()

    def wait(_request: Request) -> Response:
        answered.wait(30)
        return Response("")

    httpserver.expect_request("/slow").respond_with_handler(wait)
    try:
        problems = notifier(address(httpserver, "/slow")).send(NOTICE, timeout_s=0.5)
    finally:
        answered.set()
    assert problems == ("Notification address 1 (json) did not answer within 0.5 s.",)


def test_an_address_that_is_missing_is_said(tmp_path: Path) -> None:
    assert AppriseNotifier("URLS", None, {}).send(NOTICE, timeout_s=1) == (
        "Nobody was notified: there is no address in URLS.",
    )
    (problem,) = AppriseNotifier(None, tmp_path / "urls", {}).send(NOTICE, timeout_s=1)
    assert problem.startswith(f"Nobody was notified: {tmp_path / 'urls'} cannot be read")


def test_a_file_that_others_can_read_is_named(httpserver: HTTPServer, tmp_path: Path) -> None:
    httpserver.expect_request("/one").respond_with_data("")
    file = tmp_path / "urls"
    file.write_text(address(httpserver, "/one"))
    file.chmod(0o644)
    (problem,) = AppriseNotifier(None, file, {}).send(NOTICE, timeout_s=30)
    assert f"chmod 600 {file}" in problem
    # The slow answer of a test before may end only now.
    assert [request.path for request, _ in httpserver.log if request.path != "/slow"] == ["/one"]


def test_missing_apprise_is_reported_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    (problem,) = notifier("json://127.0.0.1:9").send(NOTICE, timeout_s=1)
    assert "upgrade-orchestrator[notify]" in problem


def test_apprise_is_imported_only_when_a_notification_is_sent() -> None:
    code = "import sys, orchestrator.wiring, orchestrator.run.finish; print('apprise' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
