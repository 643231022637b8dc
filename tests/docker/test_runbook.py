"""Where an operator is needed, what he is told to paste brings a version back: copied from the screen into a shell."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from deploy.demo.bed import LedgerHost
from tests.docker.installation import Install
from tests.docker.pasting import paste
from tests.docker.trouble import NEW, OLD, Setting, Site, written_site

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

BAD = "1.2.0"  # its migration fails


@pytest.fixture(scope="module")
def site(install: Install) -> Iterator[Site]:
    with written_site(install(rehearsed=False)) as site:
        yield site


@pytest.fixture(autouse=True)
def old_version(site: Site) -> Iterator[None]:
    site.tidy()
    yield
    if not site.serves(OLD):
        site.reset()


def lose_snapshot_and_backup(site: Site) -> None:
    (snapshot,) = [row[0] for row in site.ask("SELECT datname FROM pg_database WHERE datname LIKE %s", r"%snapshot%")]
    site.host.psql(f'DROP DATABASE "{snapshot}"', database="postgres")
    newest = site.installation.backups()[-1]
    newest.write_bytes(newest.read_bytes()[:-40])


def lose_image(host: LedgerHost, image_id: str) -> None:
    host.container("app").remove(force=True)
    host.client.images.remove(image_id, force=True)


def occupy(host: LedgerHost) -> socket.socket:
    return socket.create_server(("127.0.0.1", host.app_port))


def test_a_restore_whose_server_is_gone_is_done_by_hand(site: Site) -> None:
    setting = Setting(version=BAD, pauses=["restore"], timeouts={"restore": "3s"})
    with site.upgrading(setting) as running:
        with running.paused("restore"):
            site.kill_server()
        ended = running.end()
    site.assert_whole(paste(site.host.folder / "trouble.yaml", ended), OLD)


def test_without_snapshot_and_backup_an_older_backup_serves_and_what_was_written_is_kept(site: Site) -> None:
    assert site.upgrade(Setting(version=BAD)).exit_code == 20
    site.writer.await_acknowledged(5, 60)
    with site.upgrading(Setting(version=BAD, pauses=["restore"])) as running:
        with running.paused("restore"):
            lose_snapshot_and_backup(site)
        ended = running.end()
    site.assert_whole(paste(site.host.folder / "trouble.yaml", ended), OLD)


@pytest.mark.soak
def test_a_rollback_whose_image_is_gone_fetches_it_again(site: Site) -> None:
    image_id = str(site.host.container("app").attrs["Image"])
    with site.upgrading(Setting(version=BAD, pauses=["rollback"])) as running:
        with running.paused("rollback"):
            lose_image(site.host, image_id)
        ended = running.end()
    site.assert_whole(paste(site.host.folder / "trouble.yaml", ended), OLD)
    assert site.host.container("app").attrs["Image"] == image_id


@pytest.mark.soak
def test_a_rollback_to_a_version_that_fell_ill_is_done_when_the_cause_is_mended(site: Site) -> None:
    setting = Setting(version=BAD, pauses=["rollback"], timeouts={"rollback": "20s"})
    with site.upgrading(setting) as running:
        with running.paused("rollback"):
            site.host.psql("ALTER ROLE ledger PASSWORD 'another'", database="postgres")
        ended = running.end()
    site.host.psql(f"ALTER ROLE ledger PASSWORD '{site.host.password}'", database="postgres")
    site.assert_whole(paste(site.host.folder / "trouble.yaml", ended), OLD)


def test_a_gate_that_could_not_be_opened_is_opened_by_hand(site: Site) -> None:
    with site.upgrading(Setting(pauses=["commit"], timeouts={"commit": "10s"})) as running:
        running.await_pause("commit")
        with closing(occupy(site.host)):
            running.resume("commit")
            ended = running.end()
    site.assert_whole(paste(site.host.folder / "trouble.yaml", ended), NEW)
