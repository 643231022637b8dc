"""Names and volumes that somebody else has taken, on a real engine: told, worked around, and never touched."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import yaml
from docker.models.containers import Container

from deploy.demo.bed import Bed, LedgerHost
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.http.probe import HttpProbe
from orchestrator.core.deadline import Deadline
from tests.engine.installation import Document, Ended, Install, Installation, leave_out, write_ledger_plan

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

PROJECT_LABEL = "com.docker.compose.project"
VERDICTS = {10: "refused", 20: "rolled_back", 0: "committed"}


@pytest.fixture(scope="module")
def installation(install: Install) -> Iterator[Installation]:
    """One host for all conflicts that end where they began: at 1.0.0."""
    installed = install()
    yield installed
    installed.host.down()


@pytest.fixture
def foreign(installation: Installation) -> Iterator[list[Container]]:
    """Containers that are nobody's business; removed by id in the end."""
    containers: list[Container] = []
    yield containers
    for container in containers:
        container.remove(force=True, v=True)


def plan_of(installation: Installation) -> Document:
    document = yaml.safe_load(installation.plan.read_text(encoding="utf-8"))
    leave_out(document, "rehearse")
    assert isinstance(document, dict)
    return document


def run_with(installation: Installation, before: str, *command: str, version: str = "v1.1.0") -> Ended:
    """An upgrade that lets ``command`` happen on the host just before a state."""
    document = plan_of(installation)
    states = leave_out(document, "rehearse")
    for state in states.values():
        ways = state.get("then")
        if isinstance(ways, dict):
            ways.update({outcome: "happen" for outcome, to in ways.items() if to == before})
    then = states[before]["then"]
    assert isinstance(then, dict)
    states["happen"] = {
        "kind": "command",
        "with": {"run": [*command], "changes": "nothing"},
        "then": {"done": before, "failed": then["failed"]},
    }
    path = installation.plan.with_name("plan-happens.yaml")
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return Installation(installation.host, installation.feed, path).run(*arguments(version))


def arguments(version: str = "v1.1.0") -> tuple[str, ...]:
    return ("--force", "--retry", "--version", version, "--json")


def serves(host: LedgerHost) -> bool:
    return HttpProbe().get(f"{host.url}/api/health", timeout_s=5).status == 200


def serves_at_last(host: LedgerHost) -> bool | None:
    return serves(host) or None


def expect(ended: Ended, exit_code: int, *words: str) -> None:
    assert (ended.exit_code, ended.document["verdict"]) == (exit_code, VERDICTS[exit_code]), ended.said
    for word in words:
        assert word in ended.said
    assert "internal error" not in ended.said


def psql_in(host: LedgerHost, statement: str) -> tuple[str, ...]:
    """Argv of a step that runs SQL beside the app; ``$run`` is the run's id as names of databases have it."""
    container = host.container("db").name
    words = f"run=$(echo $ORCHESTRATOR_RUN | tr - _); docker exec {container}"
    return ("sh", "-c", f'{words} psql -q -U ledger -d postgres -c "{statement}"')


def test_a_database_in_a_volume_that_others_write_to_is_refused(
    installation: Installation, foreign: list[Container]
) -> None:
    host = installation.host
    (volume,) = [m["Name"] for m in host.container("db").attrs["Mounts"] if m["Type"] == "volume"]
    labels = {PROJECT_LABEL: "somebody-else"}
    mounts = {volume: {"bind": "/data", "mode": "rw"}}
    image = host.postgres_image
    foreign.append(host.client.containers.create(image, name=f"{host.project}-thief", labels=labels, volumes=mounts))
    expect(installation.run(*arguments()), 10, f"{host.project}-thief (project somebody-else)")
    assert serves(host)


def test_a_reader_of_the_volume_disturbs_nobody(installation: Installation, foreign: list[Container]) -> None:
    host = installation.host
    (volume,) = [m["Name"] for m in host.container("db").attrs["Mounts"] if m["Type"] == "volume"]
    mounts = {volume: {"bind": "/data", "mode": "ro"}}
    foreign.append(host.client.containers.create(host.postgres_image, volumes=mounts))
    ended = installation.run("--dry-run", "--version", "v1.1.0", "--retry")
    assert "Others may write" not in ended.said
    assert ended.exit_code == 0, ended.said


def test_a_foreign_container_of_the_migrations_name_is_left_alone(
    installation: Installation, foreign: list[Container]
) -> None:
    host = installation.host
    create = f"docker create --name upgrade-orchestrator-migrate-$ORCHESTRATOR_RUN {host.postgres_image}"
    ended = run_with(installation, "migrate", "sh", "-c", create)
    name = f"upgrade-orchestrator-migrate-{ended.document['run']}"
    foreign.append(host.client.containers.get(name))
    expect(ended, 20, f"There is a container named {name} already")
    assert foreign[0].attrs["State"]["Status"] == "created"
    assert serves(host)


def test_a_foreign_database_of_the_snapshots_name_is_left_alone(installation: Installation) -> None:
    host = installation.host
    ended = run_with(installation, "stop", *psql_in(host, "CREATE DATABASE ledger__snapshot_$run"))
    expect(ended, 20, "already exists")
    name = f"ledger__snapshot_{str(ended.document['run']).replace('-', '_')}"
    assert host.psql("SELECT current_database()", database=name) == name
    assert serves(host)


def test_a_foreign_database_of_the_quarantines_name_is_left_alone(installation: Installation) -> None:
    host = installation.host
    entries = host.psql("SELECT count(*) FROM entries")
    happens = psql_in(host, "CREATE DATABASE ledger__failed_$run")
    ended = run_with(installation, "migrate", *happens, version="v1.2.0")
    name = f"ledger__failed_{str(ended.document['run']).replace('-', '_')}"
    expect(ended, 20)
    assert ended.document["quarantine"] == [f"{name}_2"]
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert host.psql(tables, database=name) == "0"
    assert int(host.psql(tables, database=f"{name}_2")) > 0
    assert host.psql("SELECT count(*) FROM entries") == entries
    assert serves(host)


def leave_half_of_a_recreation(host: LedgerHost) -> str:
    """A container as Compose leaves one that was killed while it replaced the app's: made, renamed, never started."""
    app = host.container("app")
    labels = {name: value for name, value in app.labels.items() if name.startswith("com.docker.compose")}
    left = host.client.containers.create(str(app.attrs["Image"]), name=f"{str(app.id)[:12]}_{app.name}", labels=labels)
    return str(left.id)


def test_two_projects_upgrade_side_by_side_one_with_names_of_its_own_one_with_leftovers(
    installation: Installation, install: Install, ledger_bed: Bed
) -> None:
    image = ledger_bed.client.images.get(ledger_bed.bases.postgres)
    kept = f"upgrade-orchestrator/kept:{ledger_bed.id}-of-somebody-else"
    assert image.tag(kept)
    other = install()
    override = f"services: {{app: {{container_name: {other.host.project}-front}}}}\n"
    (other.host.folder / "docker-compose.override.yml").write_text(override)
    other.host.up()
    for each in (installation, other):
        document = plan_of(each)
        each.plan.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    left = leave_half_of_a_recreation(installation.host)
    for each in (installation, other):
        Deadline(SystemClock(), 60, what="The app").poll(partial(serves_at_last, each.host), every_s=0.2)
    with ThreadPoolExecutor(2) as both:
        ended = list(both.map(lambda one: one.run(*arguments()), (installation, other)))
    for one in ended:
        expect(one, 0)
    assert left not in {one.id for one in ledger_bed.client.containers.list(all=True)}
    assert installation.host.container("app").name == f"{installation.host.project}-app-1"
    assert other.host.container("app").name == f"{other.host.project}-front"
    assert serves(installation.host)
    assert serves(other.host)
    assert ledger_bed.client.images.get(kept).id == image.id
    ledger_bed.client.images.remove(kept, noprune=True)
    other.host.down()


def test_a_database_in_an_anonymous_volume_is_refused(ledger_bed: Bed, install: Install) -> None:
    host = ledger_bed.host("1.0.0")
    compose = host.folder / "docker-compose.yml"
    text = compose.read_text(encoding="utf-8")
    compose.write_text(text.replace("    volumes:\n      - database:/var/lib/postgresql/data\n", ""), encoding="utf-8")
    host.install()
    feed = ledger_bed.feed("1.0.0", "1.1.0")
    ended = Installation(host, feed, write_ledger_plan(host, feed)).run(*arguments())
    expect(ended, 10, "volume without a name", "named volume")
    assert serves(host)
    host.down()
