"""Secret values are detected, and common ones stay readable."""

import pytest

from orchestrator.redaction.secret_detection import (
    find_in_document,
    find_inner,
    find_secrets,
    is_secret,
    is_secret_name,
)


@pytest.mark.parametrize(
    "name",
    [
        "POSTGRES_PASSWORD", "password", "DB_PASS", "MYSQL_PWD", "SECRET_KEY", "SECRET_KEY_BASE", "API_TOKEN", "apiKey",
        "clientSecret", "AWS_SECRET_ACCESS_KEY", "SENTRY_DSN", "requirepass", "JWT", "smtp-password", "WEBHOOK_URL",
        "traefik.http.middlewares.a.basicauth.users", "AWS_ACCESS_KEY", "TOKENS", "Credentials",
    ],
)  # fmt: skip
def test_a_name_speaks_of_a_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["POSTGRES_USER", "PASSENGER_APP_ENV", "token_variable", "POSTGRES_PASSWORD_FILE", "TOKEN_TTL", "KEYCLOAK_HOST",
     "AUTH_TYPE", "SESSION_DRIVER", "database", "APP_PORT", "", "_", "keep", "monkeys_of"],
)  # fmt: skip
def test_neutral_name_does_not_make_a_secret(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "value",
    [
        "", "true", "5432", "v1.2.3", "1.2.3-rc.1", "Europe/Berlin", "postgres", "production", "10s", "512m", "C.UTF-8",
        "127.0.0.1", "10.0.0.0/8", "db.example.com:5432", "ghcr.io/you/app:v1.2.3", "127.0.0.1:5000/you/app",
        "/srv/app", "./data", "kim@example.com", "https://example.com/path/page", "http://localhost:5100/api/health",
        "v1.1.0@sha256:" + "a1" * 32, "postgresql://db:5432/ledger",
    ],
)  # fmt: skip
def test_common_value_stays_readable(value: str) -> None:
    assert not is_secret("SETTING", value)


@pytest.mark.parametrize(
    "value",
    [
        "hunter2", "correct-horse-battery-staple-and-more", "aBcDeFgHiJkL", "8f14e45fceea167a", "p@ssw0rd",
        "Zm9vYmFyYmF6",
        "https://hooks.example.com/services/T0A1B2C3/x9Y8z7W6v5U4", "https://example.com/?code=x9Y8z7W6v5U4",
        "https://x9Y8z7W6v5U4@example.com/path", "two\nlines", "äöü-secret", "$apr1$abc$def",
    ],
)  # fmt: skip
def test_uncommon_value_is_a_secret_under_any_name(value: str) -> None:
    assert is_secret("SETTING", value)


def test_a_name_makes_a_secret_of_a_word_but_not_of_a_yes() -> None:
    assert is_secret("PASSWORD", "postgres")
    assert not is_secret("TOKENS", "true")
    assert not is_secret("USE_TOKEN", "1")


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("postgresql://kim:hunter2@db:5432/ledger", "hunter2"),
        ("redis://:hunter2@cache:6379/0", "hunter2"),
        ("amqp://kim:p%40ss@queue", "p@ss"),
        ("host=db user=kim password='hunter2' dbname=x", "hunter2"),
        ("jdbc:postgresql://db/ledger?user=kim&password=hunter2", "hunter2"),
        ("Server=db;User=kim;Pwd=hunter2;", "hunter2"),
    ],
)
def test_the_password_in_an_address_is_found(text: str, password: str) -> None:
    assert password in set(find_inner(text))


def test_of_an_address_with_a_login_only_the_password_is_a_secret() -> None:
    assert set(find_secrets("DATABASE_URL", "postgresql://kim:hunter2@db:5432/ledger?sslmode=disable")) == {"hunter2"}


def test_a_secret_of_several_lines_is_known_by_each_of_them() -> None:
    key = "-----BEGIN KEY-----\nMIIBVgIBADANBg\nab\n-----END KEY-----\n"
    assert {"MIIBVgIBADANBg", key, key.strip()} <= set(find_secrets("KEY", key))
    assert "ab" not in set(find_secrets("KEY", key))


def test_a_rendered_project_tells_its_secrets() -> None:
    found = set(
        find_in_document(
            {
                "services": {
                    "app": {
                        "environment": {
                            "DATABASE_URL": "postgresql://a:hunter2@db/x",
                            "MODE": "production",
                            "NONE": None,
                        },
                        "command": ["serve", "--requirepass", "topsecret", "--workers", "4", "--api-token=tok3n-tok3n"],
                        "labels": {"proxy.basicauth.users": "kim:$$apr1$$x"},
                        "secrets": [{"source": "db_password", "target": "db_password"}],
                        "image": "ghcr.io/you/app:v1",
                    }
                }
            }
        )
    )
    assert {"hunter2", "topsecret", "tok3n-tok3n", "kim:$$apr1$$x"} <= found
    assert not {"production", "serve", "4", "db_password", "ghcr.io/you/app:v1"} & found


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("DB_PASSWORD", "12345", {"12345"}),
        ("DB_PASSWORD", "1234", {"1234"}),
        ("LOGIN", "admin:rosebud", {"admin:rosebud", "rosebud"}),
        ("FLOWER_BASIC_AUTH", "kim:rosebud,lou:swordfish", {"rosebud", "swordfish"}),
        ("ELASTIC_USER", "elastic:changeme", {"elastic:changeme", "changeme"}),
        ("SETTING", "kim:hunter2", {"kim:hunter2", "hunter2"}),
        ("API_TOKEN", "kim:rosebud", {"kim:rosebud", "rosebud"}),
    ],
)
def test_a_number_or_a_pair_is_a_secret_under_a_name_that_speaks_of_one(
    name: str, value: str, secrets: set[str]
) -> None:
    assert secrets <= set(find_secrets(name, value))


@pytest.mark.parametrize(
    ("name", "value"),
    [("MAX_TOKENS", "16384"), ("TOKEN_LIMIT", "100000"), ("SESSION_KEY_DAYS", "36500"), ("CACHE", "redis:alpine"),
     ("USERS_SERVICE", "http://users:8080"), ("USE_TOKEN", "1"), ("APP_PORT", "54321")],
)  # fmt: skip
def test_a_measure_is_no_secret(name: str, value: str) -> None:
    assert not set(find_secrets(name, value))


def test_of_two_colons_in_a_login_the_first_ends_the_user() -> None:
    assert "pass:word" in set(find_inner("postgresql://kim:pass:word@db/x"))
