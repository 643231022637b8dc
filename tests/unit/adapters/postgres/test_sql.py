import pytest

from orchestrator.adapters.postgres import sql
from orchestrator.adapters.postgres.model import DatabaseProperties, Grant, PgSetting
from orchestrator.core.errors import DatabaseError

PROPERTIES = DatabaseProperties(
    version=150000,
    owner="app",
    encoding="UTF8",
    collate="C",
    ctype="C",
    tablespace="pg_default",
    connection_limit=7,
    grants=(
        Grant(role=None, privilege="CONNECT", grantable=False),
        Grant(role="r", privilege="CREATE", grantable=True),
    ),
    settings=(
        PgSetting(role=None, text='search_path="$user", public'),
        PgSetting(role="r", text="app.motto=a=b'c"),
    ),
)


def test_names_and_texts_cannot_break_out_of_their_quotes() -> None:
    assert sql.quote_name('a"; DROP') == '"a""; DROP"'
    assert sql.quote_text("it's") == "'it''s'"
    assert sql.quote_text("a\\'") == " E'a\\\\'''"
    assert sql.quote_connection("a'b\\c host=x") == "dbname='a\\'b\\\\c host=x'"


@pytest.mark.parametrize("name", ["", "x" * 64, "ü" * 32, "a\0b"])
def test_a_name_that_the_server_would_change_is_refused(name: str) -> None:
    with pytest.raises(DatabaseError, match="cannot be a name"):
        sql.quote_name(name)


def test_a_copy_names_strategy_only_where_the_server_knows_it() -> None:
    assert "STRATEGY FILE_COPY" in sql.build_copy("a", "b", PROPERTIES)
    assert "STRATEGY" not in sql.build_copy("a", "b", PROPERTIES.model_copy(update={"version": 140000}))


def test_equipment_carries_grants_settings_and_limit() -> None:
    assert sql.build_equipment("b", PROPERTIES).splitlines() == [
        'ALTER DATABASE "b" CONNECTION LIMIT 7;',
        'REVOKE ALL ON DATABASE "b" FROM PUBLIC, "app";',
        'GRANT CONNECT ON DATABASE "b" TO PUBLIC;',
        'GRANT CREATE ON DATABASE "b" TO "r" WITH GRANT OPTION;',
        """ALTER DATABASE "b" SET "search_path" TO '$user', 'public';""",
        """ALTER ROLE "r" IN DATABASE "b" SET "app"."motto" TO 'a=b''c';""",
    ]


def test_default_grants_are_left_as_the_server_makes_them() -> None:
    text = sql.build_equipment("b", PROPERTIES.model_copy(update={"grants": None}))
    assert "REVOKE" not in text
    assert "GRANT" not in text


def test_the_programs_of_other_processes_are_ended_and_no_strangers() -> None:
    text = sql.build_terminate_applications("upgrade-orchestrator", but="upgrade-orchestrator-0a")
    assert "starts_with(application_name, 'upgrade-orchestrator-') AND" in text
    assert "application_name <> 'upgrade-orchestrator-0a'" in text


def test_both_renames_of_a_swap_are_one_transaction() -> None:
    lines = sql.build_swap("live", "copy", "aside").splitlines()
    assert lines[-5:] == [
        "BEGIN;",
        'ALTER DATABASE "live" RENAME TO "aside";',
        'ALTER DATABASE "copy" RENAME TO "live";',
        'ALTER DATABASE "aside" ALLOW_CONNECTIONS true;',
        "COMMIT;",
    ]
