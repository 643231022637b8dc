"""Where a server listens, from what it has written of itself."""

import pytest

from orchestrator.adapters.postgres.port import read_other_place

USUAL = "/var/run/postgresql"


def pid_file(port: str = "5432", folder: str = USUAL) -> str:
    return f"1\n/var/lib/postgresql/data\n1764541000\n{port}\n{folder}\n*\n  1234 5\nready\n"


@pytest.mark.parametrize(
    ("text", "environment", "place"),
    [
        (pid_file(), {}, {}),
        (pid_file(folder="/run/postgresql"), {}, {}),
        (pid_file("5433"), {}, {"PGPORT": "5433", "PGHOST": USUAL}),
        (pid_file("5433"), {"PGPORT": "5433"}, {}),
        (pid_file("5432"), {"PGPORT": "6000"}, {"PGPORT": "5432", "PGHOST": USUAL}),
        (pid_file(folder="/sockets"), {}, {"PGPORT": "5432", "PGHOST": "/sockets"}),
        (pid_file(folder="/sockets"), {"PGHOST": "/sockets"}, {}),
        (pid_file(folder=""), {}, {"PGPORT": "5432", "PGHOST": "127.0.0.1"}),
        (pid_file("5433").replace("ready", "starting"), {}, {}),
        ("1\n/var/lib/postgresql/data\n", {}, {}),
        ("", {}, {}),
        ("a\nb\nc\nd\ne\n", {}, {}),
    ],
)
def test_a_client_gets_only_what_it_would_not_try_by_itself(
    text: str, environment: dict[str, str], place: dict[str, str]
) -> None:
    assert read_other_place(text, environment) == place
