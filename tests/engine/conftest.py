"""One bed for all tests of whole upgrades: publishing the ledger's releases takes longest."""

from collections.abc import Iterator

import pytest

from deploy.demo.bed import Bed
from tests.engine.installation import Install, Installation, write_ledger_plan

# Their asserts say what they found, as those of the tests do.
pytest.register_assert_rewrite("tests.engine.trouble", "tests.engine.cutting", "tests.engine.pasting")

RELEASES = ("1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0")


@pytest.fixture(scope="session")
def ledger_bed() -> Iterator[Bed]:
    """A bed in which every release of the ledger is published."""
    with Bed("upgrade") as bed:
        for version in RELEASES:
            bed.publish(version)
        yield bed


@pytest.fixture(scope="session")
def install(ledger_bed: Bed) -> Install:
    """Bring a host of the ledger into service; it goes with the bed."""

    def install(version: str = "1.0.0", *, shipped: str = "upgrade.yaml", rehearsed: bool = True) -> Installation:
        feed = ledger_bed.feed(*RELEASES)
        host = ledger_bed.host(version)
        host.install()
        return Installation(host, feed, write_ledger_plan(host, feed, shipped=shipped, rehearsed=rehearsed))

    return install
