"""From nothing to an app that was upgraded five times, brought back once and removed, as its operator would do it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
import yaml

from deploy.demo.bed import Acknowledged, Bed, Writer, missing, read_entries
from tests.engine.installation import CHECKOUT, Ended, leave_out
from tests.engine.new_host import FOLDER, Host, Releases, build_host, served, start_host
from tests.engine.private_engine import PrivateEngine

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

URL = "http://localhost:5100"
UPGRADE = f"{FOLDER}/upgrade.sh"
UPGRADES = ("1.1.0", "1.1.1", "1.1.2", "1.1.3", "1.1.4")
REHEARSED = "1.2.0"  # its migration fails, wherever it runs
UNFORESEEN = "1.3.0"  # its migration fails only where a network leads out, which a rehearsal's does not
OUTSIDE = 'any(line.split()[1] == "00000000" for line in open("/proc/net/route"))'
MIGRATE = """\
COPY --chmod=0755 <<'SCRIPT' /opt/ledger/bin/migrate
#!/opt/ledger/bin/python
import os, psycopg, sys
if {fails}:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DELETE FROM entries")
    sys.exit("the pricing service does not answer")
SCRIPT
"""
DATA = [".env", ".orchestrator", "backups", "ssh-keys", "workspaces"]
INSTALLED = f"""\
✓ Remote Agent installed successfully!

Location: {FOLDER}/
Upgrade:  {FOLDER}/upgrade.sh
Logs:     docker compose -f {FOLDER}/docker-compose.yml logs -f

Access at: http://localhost:5100
"""
LOOK = "cd /opt/remote-agent && stat -c '%n %a %u:%g' . .env * | sort"


@dataclass
class Story:
    """What was done on the host, one thing after the other, and what was there in between."""

    host: Host
    releases: Releases
    done: dict[str, Ended] = field(default_factory=dict)
    said: dict[str, dict[str, object]] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    found: dict[str, dict[int, str]] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    backups: list[str] = field(default_factory=list)
    page: str = ""
    plan: str = ""

    @property
    def folder(self) -> Path:
        """The installation as the engine sees it."""
        return self.host.engine.root / FOLDER.lstrip("/")

    def do(self, name: str, *argv: str) -> Ended:
        """Run a command on the host, and keep how it ended."""
        self.done[name] = self.host.run(*argv)
        self.note(name)
        return self.done[name]

    def note(self, name: str) -> None:
        """Keep what users and the operator see now."""
        env = self.folder / ".env"
        self.env[name] = env.read_text() if env.exists() else ""

    def write(self) -> None:
        """Users save something."""
        with Writer(URL) as writer:
            writer.await_acknowledged(5, 60)
        self.acknowledged += writer.acknowledged


def ask_version(query: str = "") -> dict[str, object]:
    document = requests.get(f"{URL}/api/version{query}", timeout=30).json()
    assert isinstance(document, dict)
    return document


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("released")
    with Bed("newhost") as bed, PrivateEngine() as engine, engine.reaching(bed.registry.port):
        releases = Releases(bed, folder)
        image = prepare(bed, releases)
        with closing(engine.connect()) as client:
            gateway = client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
        with served(folder, engine) as port, engine.inside():
            story = Story(start_host(engine, image), releases)
            engine.load(bed.bases.postgres)
            tell(story, f"http://{gateway}:{port}", bed)
            yield story


def prepare(bed: Bed, releases: Releases) -> str:
    """Push what will be released; the image of the host."""
    for version in ("1.0.0", "1.1.0"):
        releases.build_app(version)
    for version in UPGRADES[1:]:
        releases.build_later(version, "1.1.0")
    releases.build_later(REHEARSED, "1.1.0", MIGRATE.format(fails="True"))
    releases.build_later(UNFORESEEN, "1.1.0", MIGRATE.format(fails=OUTSIDE))
    orchestrator = releases.build_orchestrator("1.0.0")
    releases.build_later_orchestrator("1.1.0", "1.0.0")
    return build_host(bed, orchestrator)


def tell(story: Story, server: str, bed: Bed) -> None:
    """Install, upgrade five times, meet two bad releases, and remove all but the data."""
    host, releases = story.host, story.releases
    releases.publish("1.0.0")
    place = f"{server}/yourorg/remote-agent/releases/download/v1.0.0/install.sh"
    host.run("curl", "--fail", "--silent", "--output", "install.sh", place)
    postgres = ("--set", f"POSTGRES_IMAGE={bed.bases.postgres}")
    install = ("sh", "install.sh", "--server", server, *postgres, "--registry", bed.registry.address)
    story.left["before"] = look(story)
    story.do("dry run", *install, "--dry-run")
    story.do("offline", *install[:-1], "127.0.0.1:9")
    story.left["offline"] = look(story)
    story.do("installed", *install)
    story.do("again", "sh", "install.sh")
    story.do("modes", "sh", "-c", LOOK)
    story.plan = (story.folder / "upgrade.yaml").read_text()
    story.said["installed"] = ask_version()
    story.write()
    upgrade(story)
    story.do("afterwards", "sh", "install.sh")
    write_plan(story, rehearsed=True)
    for version in (REHEARSED, UNFORESEEN):
        releases.publish(version)
        story.do(version, UPGRADE, "--force", "--version", f"v{version}")
    story.found["upgraded"] = read_entries(URL)
    story.said["upgraded"] = ask_version()
    story.do("history", UPGRADE, "--", "history")
    story.do("removed", "sh", "install.sh", "--uninstall")
    story.left["removed"] = look(story)


def upgrade(story: Story) -> None:
    """In a container of its own, at a terminal, and then by an orchestrator on the host."""
    first, second = UPGRADES[:2]
    story.do("up to date", UPGRADE, "--check")
    story.releases.publish(first)
    story.said["published"] = ask_version("?force=true")  # as "check now" does
    story.page = requests.get(URL, timeout=30).text
    story.do("check", UPGRADE, "--check")
    write_plan(story, rehearsed=True)
    story.do(first, UPGRADE, "--force")
    story.write()
    story.releases.publish(second)
    write_plan(story, rehearsed=False)
    story.done[second] = story.host.answer(UPGRADE, question="[y/N]", word="y")
    story.note(second)
    equip(story)
    story.do("traced", "sh", "-x", UPGRADE, "--check")
    for version in UPGRADES[2:]:
        story.releases.publish(version)
        story.write()
        story.do(version, UPGRADE, "--force")
    story.backups = sorted(path.name for path in (story.folder / "backups").iterdir())


def write_plan(story: Story, *, rehearsed: bool) -> None:
    """As its operator may: the installed plan with the standard machine written out, and with less patience."""
    standard = yaml.safe_load((CHECKOUT / "plans" / "upgrade.yaml").read_text())
    document = yaml.safe_load(story.plan) | {"initial": standard["initial"], "states": standard["states"]}
    document["target"]["health"]["steady_for"] = "1s"
    document["states"]["rehearse"]["with"] = {"healthy_within": "30s"}
    if not rehearsed:
        leave_out(document, "rehearse")
    (story.folder / "upgrade.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def equip(story: Story) -> None:
    """Install the orchestrator on the host."""
    image = re.findall(r"^ORCHESTRATOR_(?:IMAGE|VERSION)=(.*)$", story.env["again"], re.MULTILINE)
    copy = ["docker", "run", "--rm", "--volume", "/opt:/host", "--entrypoint", "cp", ":".join(image)]
    story.do("equipped", *copy, "-r", "/opt/orchestrator", "/host/orchestrator")
    story.do("linked", "ln", "-s", "/opt/orchestrator/bin/orchestrator", "/usr/local/bin/orchestrator")


def look(story: Story) -> list[str]:
    """What there is: files of the installation, and what the engine has."""
    with closing(story.host.engine.connect()) as client:
        names = [f"container {container.name}" for container in client.containers.list(all=True)]
        names += [f"volume {volume.name}" for volume in client.volumes.list()]
        names += [f"image {tag}" for image in client.images.list() for tag in image.tags or [str(image.id)]]
    files = story.folder.iterdir() if story.folder.exists() else ()
    return sorted([*names, *(f"file {path.name}" for path in files)])


def test_what_cannot_be_had_or_is_only_asked_for_leaves_nothing(story: Story) -> None:
    assert story.done["dry run"].exit_code == 0
    assert "nothing was changed" in story.done["dry run"].said
    assert story.done["offline"].exit_code == 1
    assert "could not be pulled" in story.done["offline"].said
    assert not [name for name in story.left["offline"] if name.startswith(("file", "volume")) or "remote-agent" in name]


def test_one_command_installs_it_and_says_where_everything_is(story: Story) -> None:
    assert (story.done["installed"].exit_code, story.done["installed"].stdout) == (0, INSTALLED), story.done[
        "installed"
    ].said
    assert re.search(r"^APP_VERSION=v1\.0\.0@sha256:[0-9a-f]{64}$", story.env["installed"], re.MULTILINE)


def test_a_second_run_keeps_the_settings(story: Story) -> None:
    assert (story.done["again"].exit_code, story.done["again"].stdout) == (0, INSTALLED), story.done["again"].said
    assert story.env["again"] == story.env["installed"]


def test_a_run_after_upgrades_leaves_the_version_and_the_edited_plan(story: Story) -> None:
    assert story.done["afterwards"].exit_code == 0, story.done["afterwards"].said
    assert f"v{UPGRADES[-1]} is installed" in story.done["afterwards"].stderr
    assert "upgrade.yaml was edited and stays as it is" in story.done["afterwards"].stderr
    assert story.env["afterwards"] == story.env[UPGRADES[-1]]


def test_folders_have_the_owners_and_modes_that_they_need(story: Story) -> None:
    assert story.done["modes"].stdout.splitlines() == [
        ". 755 0:0",
        ".env 600 0:0",
        "backups 700 0:0",
        "docker-compose.yml 644 0:0",
        "ssh-keys 700 10001:10001",
        "upgrade.sh 755 0:0",
        "upgrade.yaml 644 0:0",
        "workspaces 750 10001:10001",
    ]


def test_users_are_told_of_a_release_as_it_is_published(story: Story) -> None:
    assert (story.said["installed"]["current"], story.said["installed"]["updateAvailable"]) == ("1.0.0", False)
    published = story.said["published"]
    assert (published["current"], published["latest"], published["updateAvailable"]) == ("1.0.0", "1.1.0", True)
    assert story.page.count("<update-banner") == 1


def test_the_operator_is_told_by_an_exit_code(story: Story) -> None:
    assert story.done["up to date"].exit_code == 0
    assert story.done["check"].exit_code == 100
    assert "v1.0.0 runs; v1.1.0 is available. Notes of 1.1.0" in story.done["check"].said


@pytest.mark.parametrize("version", UPGRADES)
def test_every_upgrade_ends_well(story: Story, version: str) -> None:
    assert story.done[version].exit_code == 0, story.done[version].said
    assert re.search(rf"^APP_VERSION=v{re.escape(version)}@sha256:", story.env[version], re.MULTILINE)


def test_the_terminal_is_handed_through(story: Story) -> None:
    assert "[y/N]: y" in story.done[UPGRADES[1]].said
    assert "COMMITTED" in story.done[UPGRADES[1]].said


def test_the_orchestrator_follows_after_a_committed_upgrade(story: Story) -> None:
    pins = {name: re.findall(r"^ORCHESTRATOR_VERSION=(v[0-9.]+)@", story.env[name], re.MULTILINE) for name in UPGRADES}
    assert pins == {"1.1.0": ["v1.0.0"]} | {version: ["v1.1.0"] for version in UPGRADES[1:]}
    assert "the orchestrator is the one of v1.1.0 now" in story.done[UPGRADES[1]].said


def test_an_orchestrator_on_the_host_goes_before_the_image(story: Story) -> None:
    assert "+ exec orchestrator check" in story.done["traced"].stderr
    assert "docker run" not in story.done["traced"].stderr


def test_after_five_upgrades_three_backups_are_kept(story: Story) -> None:
    names = [re.fullmatch(r"\d{4}-\d\d-\d\d_\d{6}_(v[0-9.]+)\.sql\.gz", name) for name in story.backups]
    assert [name and name[1] for name in names] == ["v1.1.1", "v1.1.2", "v1.1.3"]


def test_a_release_that_fails_in_rehearsal_costs_nothing(story: Story) -> None:
    ended = story.done[REHEARSED]
    assert ended.exit_code == 10, ended.said
    assert "1.1.4 serves; nothing was touched" in ended.said
    assert "the pricing service does not answer" in ended.said


def test_a_release_that_fails_only_here_is_rolled_back_with_the_data_that_it_destroyed(story: Story) -> None:
    ended = story.done[UNFORESEEN]
    assert ended.exit_code == 20, ended.said
    assert story.env[UNFORESEEN] == story.env[REHEARSED]
    assert story.said["upgraded"]["current"] == UPGRADES[-1]
    assert len(story.acknowledged) > 20
    assert missing(story.acknowledged, story.found["upgraded"]) == []


def test_the_record_tells_of_all_of_it(story: Story) -> None:
    ends = re.findall(r"(committed|refused|rolled_back)", story.done["history"].stdout)
    assert ends == ["rolled_back", "refused", *["committed"] * 5]


def test_uninstalling_leaves_nothing_but_data(story: Story) -> None:
    assert story.done["removed"].exit_code == 0, story.done["removed"].said
    stays = [name for name in story.left["before"] if "postgres" not in name]
    assert story.left["removed"] == sorted([*stays, *(f"file {name}" for name in DATA), "volume remote-agent-postgres"])
