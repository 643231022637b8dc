"""The command ``orchestrator serve`` as a process."""

import http.client
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tools.past import make_past

pytestmark = pytest.mark.browser

_ORCHESTRATOR = Path(sys.executable).with_name("orchestrator")
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")
END_TIMEOUT_S = 30


@contextmanager
def serving(plan: Path) -> Iterator[tuple[subprocess.Popen[str], http.client.HTTPConnection]]:
    """The command at work, and a connection to it."""
    argv = [str(_ORCHESTRATOR), "serve", str(plan), "--port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = _ADDRESS.search(process.stdout.readline())
            assert address is not None
            connection = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=30)
            yield process, connection
            connection.close()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_server_serves_until_a_signal_also_with_an_open_stream(tmp_path: Path, number: signal.Signals) -> None:
    plan = make_past(tmp_path)
    plan.source.write_text(plan.text, encoding="utf-8")
    with serving(plan.source) as (process, connection):
        connection.request("GET", "/")
        page = connection.getresponse()
        assert (page.status, b"ledger" in page.read()) == (200, True)
        connection.request("GET", "/api/runs/live")
        assert connection.getresponse().readline() == b"retry: 2000\n"
        process.send_signal(number)
        assert process.wait(END_TIMEOUT_S) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
