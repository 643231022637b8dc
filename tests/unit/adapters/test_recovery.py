"""The commands that the adapters say for a runbook and for the doctor, joined as they are in the product."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.adapters.postgres.model import PgChangeToken
from orchestrator.adapters.postgres.store import wrap
from orchestrator.core.facts import FrozenProject
from orchestrator.core.ledger import DATABASE
from orchestrator.core.ports.recovery import (
    ByHand,
    Command,
    Exchange,
    Goal,
    Installation,
    JoinedRecovery,
    Situation,
    Step,
    StoreSituation,
)
from orchestrator.core.store_facts import Fence
from orchestrator.wiring import build_recovery
from tests.tools.build import RECOVERY

APP = FrozenProject(
    name="shop",
    directory=Path("/opt/a shop"),
    template=Path("/opt/a shop/.orchestrator/runs/r-1/compose.template.json"),
    template_sha256="",
    pin_text="v1",
    services=("app", "worker"),
    variable="TAG",
)
LOCKED = StoreSituation(DATABASE, Fence(database="shop", service="pg", user="root"))
BACK = Situation("r-1", Goal.BACK, APP, "v1", stores=(LOCKED,))
TOKEN = wrap(PgChangeToken(database="16384", server_began="", catalog="", written=0, transactions=0))
INSTALLED = Installation(Path("/opt/shop"), ("app",), "registry.example/shop", "TAG", Path("/backups"), "pg")


class Fixed:
    """Says the commands that it was given."""

    def __init__(self, *commands: Command, code: str = "") -> None:
        self._commands, self._code = commands, code

    def commands(self, situation: Situation) -> tuple[Command, ...]:
        return self._commands

    def remedy(self, code: str, app: Installation) -> tuple[str, ...]:
        return ("first",) if code == self._code else ()

    def phrase(self, deed: ByHand, subject: str = "") -> str:
        return ""


def back_to(data: Exchange) -> Situation:
    return replace(BACK, stores=(replace(LOCKED, data=data),))


def lines_of(situation: Situation) -> list[str]:
    return [command.line for command in RECOVERY.commands(situation)]


def statements_of(situation: Situation) -> str:
    (line,) = [line for line in lines_of(situation) if "RENAME TO" in line]
    return line


def test_joined_commands_are_sorted_by_step_and_keep_their_order_within_a_step() -> None:
    platform = Fixed(Command(Step.STOP, "stop"), Command(Step.START, "pin"), Command(Step.START, "up"))
    stores = [
        Fixed(Command(Step.RETURN_DATA, f"exchange {name}"), Command(Step.UNLOCK, f"unlock {name}")) for name in "ab"
    ]
    told = JoinedRecovery((*stores, platform)).commands(Situation("r-1", Goal.BACK))
    assert [line for _, line in told] == ["stop", "exchange a", "exchange b", "unlock a", "unlock b", "pin", "up"]


def test_joined_remedy_is_the_first_that_is_known() -> None:
    joined = JoinedRecovery((Fixed(), Fixed(code="known.code"), RECOVERY))
    assert joined.remedy("known.code", INSTALLED) == ("first",)
    assert joined.remedy("nothing.known", INSTALLED) == ()


def test_wiring_builds_the_recovery_of_the_tests() -> None:
    assert build_recovery().commands(BACK) == RECOVERY.commands(BACK)


@pytest.mark.parametrize("app", [None, APP])
def test_commands_only_look_when_nothing_was_changed(app: FrozenProject | None) -> None:
    (line,) = lines_of(Situation("r-1", Goal.LOOK, app))
    assert line.split("  #")[0].endswith("ps")


def test_commands_name_the_project_whatever_the_shell_has_set() -> None:
    prefix = "docker compose --project-name shop --project-directory '/opt/a shop' "
    stop, jobs, server, unlock, pin, up, look = lines_of(BACK)
    assert stop == f"{prefix}stop app worker"
    assert jobs.startswith("docker ps --all --quiet --filter label=upgrade-orchestrator.run=r-1 | while read -r job;")
    assert server == f"{prefix}up -d --no-recreate --wait --pull never pg"
    assert unlock.startswith(f"{prefix}exec -T pg psql -X -q -v ON_ERROR_STOP=1 -U root -d postgres -c 'ALTER DATABASE")
    assert pin.startswith("sed -i -E --follow-symlinks")
    assert up == f"env -u TAG {prefix}up -d --no-build --pull never --force-recreate app worker"
    assert look == f"{prefix}ps"


def test_exchange_is_not_repeated_when_the_live_database_is_another_one_already() -> None:
    line = statements_of(back_to(Exchange("shop", "shop__snapshot_r_1", TOKEN)))
    assert 'RENAME TO "shop__aside_r_1"' in line
    assert "IF (SELECT oid::text FROM pg_database" in line


def test_exchange_is_not_repeated_when_the_original_is_live_already() -> None:
    line = statements_of(back_to(Exchange("shop", "shop__replaced", TOKEN, original=True)))
    assert "IF NOT (SELECT oid::text FROM pg_database" in line


def test_exchange_is_one_transaction_when_no_token_is_known() -> None:
    line = statements_of(back_to(Exchange("shop", "shop__snapshot_r_1", None)))
    assert "-c BEGIN -c 'ALTER DATABASE" in line
    assert "-c COMMIT </dev/null" in line


def test_exchange_quotes_names_of_any_kind() -> None:
    line = statements_of(back_to(Exchange('o"x', "it's", None)))
    assert '"o""x" RENAME TO "o""x__aside_r_1"' in line
    assert "it'\"'\"'s" in line


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("engine.unreachable", "sudo systemctl start docker"),
        ("refused.unhealthy", "docker compose --project-directory /opt/shop logs --tail 50 app"),
        ("env.not_writable", "ls -ld /opt/shop /opt/shop/.env"),
        ("refused.no_space", "df -h /backups /var/lib/docker"),
        ("image.denied", "docker login registry.example"),
        ("database.rights", r"docker compose --project-directory /opt/shop exec pg psql --command \du"),
        ("database.locked", "docker compose --project-directory /opt/shop logs --tail 50 pg"),
        ("stage.no_server", "docker compose --project-directory /opt/shop logs --tail 50 pg"),
        ("compose.invalid", "docker compose --project-directory /opt/shop config --quiet"),
    ],
)
def test_remedy_of_a_code_is_the_command_of_its_product(code: str, remedy: str) -> None:
    assert " ".join(RECOVERY.remedy(code, INSTALLED)) == remedy


@pytest.mark.parametrize("deed", ByHand)
def test_phrase_is_known_for_every_deed(deed: ByHand) -> None:
    assert RECOVERY.phrase(deed, "registry.example/shop:v1")


def test_phrase_names_the_image_to_pull() -> None:
    assert RECOVERY.phrase(ByHand.PULL_IMAGE, "registry.example/shop:v1") == "docker pull registry.example/shop:v1"
