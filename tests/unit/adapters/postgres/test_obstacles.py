"""What a server says of a database: each obstacle with its cure, and none where there is none."""

import pytest

from orchestrator.adapters.postgres.obstacles import (
    Contents,
    Limit,
    Standing,
    find_contents_obstacles,
    find_standing_obstacles,
)

WELL = Standing(
    standby=False,
    template=False,
    admits=True,
    whole=True,
    superuser=True,
    rights=True,
    role="keeper",
    collation="2.36",
    installed_collation="2.36",
)


def limit(text: str, role: str = "") -> Limit:
    return Limit(role=role, text=text)


def test_a_database_as_it_should_be_has_no_obstacle() -> None:
    assert find_standing_obstacles("shop", WELL) == []
    assert find_contents_obstacles("shop", Contents(), rehearsed=True) == []


@pytest.mark.parametrize(
    ("change", "code", "cure"),
    [
        ({"standby": True}, "database.standby", "database: service:"),
        ({"admits": False}, "database.fenced", 'ALTER DATABASE "my ""shop" ALLOW_CONNECTIONS true'),
        ({"whole": False}, "database.invalid", "backup"),
        ({"rights": False, "superuser": False}, "database.rights", "database: user:"),
        ({"template": True}, "database.template", "IS_TEMPLATE false"),
        ({"subscriptions": ("warehouse",)}, "refused.replication", "Drop the subscriptions"),
        ({"installed_collation": None}, "database.collation", "restore it into a new one"),
        ({"installed_collation": "2.41"}, "database.collation", 'ALTER DATABASE "my ""shop" REFRESH COLLATION VERSION'),
        ({"settings": (limit("default_transaction_read_only=on", "app"),)}, "database.read_only", "RESET"),
    ],
)
def test_each_obstacle_is_told_with_its_cure(change: dict[str, object], code: str, cure: str) -> None:
    (found,) = find_standing_obstacles('my "shop', WELL.model_copy(update=change))
    assert found.code == code
    assert cure in found.hint
    assert found.blocks


def test_a_collation_without_a_version_is_no_other_version() -> None:
    assert find_standing_obstacles("shop", WELL.model_copy(update={"collation": None})) == []


def test_a_tablespace_is_in_the_way_of_a_rehearsal_alone() -> None:
    contents = Contents(tablespaces=("fast",))
    (found,) = find_contents_obstacles("shop", contents, rehearsed=True)
    assert (found.code, found.blocks) == ("rehearse.tablespace", True)
    assert find_contents_obstacles("shop", contents, rehearsed=False) == []


def test_limits_of_time_and_collations_of_columns_are_told_and_stop_nothing() -> None:
    settings = (limit("statement_timeout=30s", "app"), limit("lock_timeout=0"), limit("statement_timeout=0"))
    contents = Contents(collations=("de_DE",), settings=settings)
    found = find_contents_obstacles("shop", contents, rehearsed=True)
    assert [one.blocks for one in found] == [False, False]
    assert "statement_timeout=30s for app" in found[1].what
    assert "lock_timeout" not in found[1].what


def test_a_server_that_is_read_only_by_its_file_is_refused() -> None:
    (found,) = find_contents_obstacles(
        "shop", Contents(settings=(limit("default_transaction_read_only=on"),)), rehearsed=False
    )
    assert (found.code, found.blocks) == ("database.read_only", True)
