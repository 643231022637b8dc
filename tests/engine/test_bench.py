"""The benchmark measures what it says it does: the yardsticks upgrade a real host, and go back, under its prober."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from benchmarks.contenders import COMMITTED, FLOOR, MIGRATION_FAILED, RELEASES, SCRIPT, measure
from benchmarks.ground import GOOD, OLD, Ground, Stand
from benchmarks.throttle import MEGABYTE, SlowDoor
from deploy.demo.bed import Bed
from tests.engine.installation import Install

pytestmark = pytest.mark.docker

BODY = bytes(range(256)) * 4000


def test_the_floor_and_the_script_upgrade_and_go_back_and_are_seen_to(ledger_bed: Bed, install: Install) -> None:
    host = install(OLD).host
    ground = Ground()
    ground.bed, ground.feed = ledger_bed, ledger_bed.feed(OLD, GOOD)
    stand = Stand(ground, host, ("app",))
    stand.fill(10)
    for contender, ending, parts in (
        (FLOOR, MIGRATION_FAILED, {"stop", "copy", "migrate", "swap", "start"}),
        (FLOOR, COMMITTED, {"stop", "copy", "migrate", "start"}),
        (SCRIPT, COMMITTED, set()),
    ):
        stand.reset(RELEASES[ending], image_there=True)
        assert host.psql("SELECT max(version) FROM schema_version") == "1"
        taken = measure(stand, contender, ending)
        assert taken.spans == 1
        assert taken.net_s > 0
        assert set(taken.parts) == parts
        assert host.psql("SELECT max(version) FROM schema_version") == ("2" if ending == COMMITTED else "1")


def test_a_slow_door_passes_on_what_it_is_given() -> None:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with SlowDoor(server.server_port, 50 * MEGABYTE) as door:
            connection = http.client.HTTPConnection(door.address, timeout=10)
            connection.request("GET", "/")
            assert connection.getresponse().read() == BODY
            connection.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
