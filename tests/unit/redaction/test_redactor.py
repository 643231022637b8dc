"""No secret survives the mask: not as it is, not encoded, not across two chunks of a log."""

import base64
import html
import json
import re
import string
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.redaction.encodings import is_like_a_word
from orchestrator.redaction.redactor import Redactor
from orchestrator.redaction.secret_patterns import MARK

# Without the star: a secret that contains the mark itself could be made of it.
SECRETS = st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=5, max_size=40)
BARE = st.text(string.ascii_letters + string.digits + "$%&+/=@:'\" ", min_size=5, max_size=40)
TEXTS = st.text(max_size=60)


def is_left(secret: str, text: str) -> bool:
    """Whether a secret is readable in a text: anywhere, or as a word of its own where it is like a word."""
    if not is_like_a_word(secret):
        return secret in text
    return re.search(rf"(?<![\w.]){re.escape(secret)}(?![\w.])", text) is not None


@given(st.lists(SECRETS, min_size=1, max_size=5), st.lists(TEXTS, max_size=6), st.data())
def test_no_secret_is_left_wherever_it_stands(secrets: list[str], texts: list[str], data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([" ", "/", "\n", "=", ""])).join(
        data.draw(st.permutations([*texts, *secrets, *secrets]))
    )
    masked = Redactor(secrets).text(text)
    assert not [secret for secret in secrets if is_left(secret, masked)]


@given(BARE, TEXTS, TEXTS)
def test_no_secret_is_left_as_others_write_it(secret: str, before: str, after: str) -> None:
    mask = Redactor([secret])
    written = {
        "url": quote(secret, safe=""),
        "form": quote_plus(secret),
        "json": json.dumps({before: [secret + "\n" + after]}),
        "html": html.escape(secret),
        "hex": secret.encode().hex(),
        "compose": json.dumps(secret.replace("$", "$$")),
        "whole": base64.b64encode(secret.encode()).decode().rstrip("="),
        "lower": re.sub("%..", lambda match: match[0].lower(), quote(secret, safe="")),
    }
    for name, form in written.items():
        bare = form[1:-1] if name == "compose" else form
        masked = mask.text(f"{before} {bare} {after}")
        assert name == "json" or not is_left(bare, masked), name
        assert not is_left(secret, masked), name


@given(
    SECRETS,
    st.binary(max_size=20),
    st.binary(max_size=20),
    st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
)
def test_no_secret_is_left_in_a_text_that_is_encoded_as_a_whole(
    secret: str, before: bytes, after: bytes, encode: Callable[[bytes], bytes]
) -> None:
    encoded = encode(before + secret.encode() + after).decode()
    masked = Redactor([secret]).text(encoded)
    assert MARK in masked
    kept = masked.replace(MARK, "")
    assert len(kept) * 6 // 8 < len(before) + len(after) + 8


@given(st.lists(SECRETS, min_size=1, max_size=3), st.lists(TEXTS, max_size=4), st.data())
def test_no_secret_is_left_in_a_log_that_comes_in_chunks(
    secrets: list[str], texts: list[str], data: st.DataObject
) -> None:
    whole = data.draw(st.sampled_from([" ", "\n", "-"])).join(data.draw(st.permutations([*texts, *secrets]))).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    chunks = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("orchestrator.redaction.redactor._BATCH_BYTES", 0)
        masked = b"".join(Redactor(secrets).stream(chunks))
    assert not [secret for secret in secrets if is_left(secret, masked.decode())]


@given(st.lists(SECRETS, max_size=4), TEXTS)
def test_masking_twice_is_masking_once(secrets: list[str], text: str) -> None:
    mask = Redactor(secrets)
    assert mask.text(mask.text(text)) == mask.text(text)


DOCUMENTS = st.recursive(
    TEXTS | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8
)


@given(st.lists(BARE, max_size=3), DOCUMENTS)
def test_a_document_keeps_its_shape(secrets: list[str], document: object) -> None:
    masked = Redactor(secrets).document(document)
    json.dumps(masked)
    assert type(masked) is type(document)
    assert not [secret for secret in secrets for text in strings(masked) if is_left(secret, text)]


def strings(document: object) -> Iterator[str]:
    """All texts in a document, those of its keys too."""
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict | list):
        yield from (text for inner in document for text in strings(inner))
        yield from (
            text for inner in (document.values() if isinstance(document, dict) else ()) for text in strings(inner)
        )


@given(st.binary(max_size=80))
def test_bytes_that_are_no_text_pass_as_they_are(content: bytes) -> None:
    assert Redactor(["hunter2"]).content(content) == content
    assert b"".join(Redactor(["hunter2"]).stream([content[:40], content[40:]])) == content


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("POSTGRES_PASSWORD=abc", "POSTGRES_PASSWORD=***"),
        ("password = 'a b c', user=kim", "password = ***, user=kim"),
        ('{"api_token": "x1"}', '{"api_token": "***"}'),
        ('{"api_token": "x1y2z3"}', '{"api_token": "***"}'),
        ("token: abc123def", "token: ***"),
        ("postgresql://kim:abc@db/x", "postgresql://kim:***@db/x"),
        ("redis://:abc@cache", "redis://:***@cache"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer ***"),
        ("got ghp_abcdefghijklmnopqrst1234", "got ***"),
        ("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\nb", "a\n***\nb"),
    ],
)
def test_unknown_secret_is_found_by_its_name_or_form(text: str, masked: str) -> None:
    assert Redactor().text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Try again later, or give it a token: that allows more.",
        "token_variable: GITHUB_TOKEN",
        "POSTGRES_PASSWORD_FILE=/run/secrets/db_password",
        "http://localhost:5100/api/health",
        "The password is wrong.",
        "Basic authentication is off",
        "127.0.0.1:5000/you/app:v1.1.0@sha256:" + "0" * 64,
    ],
)
def test_text_about_secrets_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_values_under_a_name_that_speaks_of_a_secret_go_whole() -> None:
    document = {
        "environment": {"DB_PASSWORD": "a", "MODE": "b"},
        "command": ["--password", "a", "--mode", "b"],
        "key": 1,
    }
    assert Redactor().document(document) == {
        "environment": {"DB_PASSWORD": MARK, "MODE": "b"},
        "command": ["--password", MARK, "--mode", "b"],
        "key": 1,
    }


def test_a_long_log_is_masked_across_its_batches() -> None:
    line = b"2026-01-05 something that was done, for hunter2-hunter2\n"
    masked = b"".join(Redactor(["hunter2-hunter2"]).stream(line[:9] + line for _ in range(5000)))
    assert masked == (line[:9] + line).replace(b"hunter2-hunter2", b"***") * 5000


def test_short_value_or_mark_is_not_looked_for() -> None:
    assert Redactor(["abc", "", "****"]).text("abc **** def") == "abc **** def"


@pytest.mark.parametrize(
    ("secret", "text", "masked"),
    [
        ("rest", "rest is restored, the rest: rest.", "*** is restored, the ***: ***."),
        ("admin", "administrator admin admin_role", "administrator *** admin_role"),
        ("12345", "pid 123456, port 12345, 0.12345 s, 3.12345", "pid 123456, port ***, 0.12345 s, 3.12345"),
        ("1234", "1234", "1234"),
        ("hunter2", r'"error\nhunter2\thunter2"', r'"error\n***\t***"'),
        ("hunter2", "?a=b%3Dhunter2&hunter2", "?a=b%3D***&***"),
        ("hunter2", "\x1b[31mhunter2\x1b[0m", "\x1b[31m***\x1b[0m"),
        ("hunter2", "“hunter2” éhunter2 hunter2é", "“***” éhunter2 hunter2é"),
        ("p@ss", "xp@ssx", "x***x"),
        ("Zx8Yw7Vu6Q", "prefixZx8Yw7Vu6Qsuffix", "prefix***suffix"),
        ("überall", "überall und überallhin", "*** und überallhin"),
    ],
)
def test_a_word_is_masked_where_it_stands_alone_and_anything_else_everywhere(
    secret: str, text: str, masked: str
) -> None:
    assert Redactor([secret]).text(text) == masked
    assert b"".join(Redactor([secret]).stream([text.encode()])).decode() == masked


def test_a_name_is_never_masked_and_a_secret_that_equals_one_is_told() -> None:
    mask = Redactor(["kinto", "viewer", "hunter2"], ["kinto", "acme/kinto-viewer", "kinto-viewer"])
    text = "kinto__failed_1 of kinto, acme/kinto-viewer:3.1.0 and kinto-viewer; hunter2, a viewer"
    assert mask.text(text) == text.replace("hunter2", "***").replace("a viewer", "a ***")
    assert mask.find_open_secrets() == {"kinto": ("", "name")}
    assert mask.text("postgresql://kinto:kinto@db/kinto") == "postgresql://kinto:***@db/kinto"


def test_names_and_secrets_may_be_learnt_in_any_order() -> None:
    mask = Redactor()
    mask.protect({"kinto": "service"})
    mask.register(["kinto"], "service db")
    assert mask.find_open_secrets() == {"kinto": ("service db", "service")}
    assert mask.text("kinto") == "kinto"
    assert mask.document({"kinto": "kinto", "password": "kinto"}) == {"kinto": "kinto", "password": MARK}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("DB_PASSWORD=1", "DB_PASSWORD=***"),
        ("DB_PASSWORD: abc", "DB_PASSWORD: ***"),
        ("password: 123", "password: ***"),
        ('{"password": "rosebud"}', '{"password": "***"}'),
        ("https://h/reset/token=abc", "https://h/reset/token=***"),
        ("config.password=abc", "config.password=***"),
        ('password="cut off in the mid', "password=***"),
        ("token: password=abc", "token: password=***"),
        ("tokens: 17 left", "tokens: 17 left"),
        ("image acme/token-service:v1.2.3", "image acme/token-service:v1.2.3"),
        ("secrets-api:8080 answers", "secrets-api:8080 answers"),
    ],
)
def test_a_short_secret_is_masked_under_its_name(text: str, masked: str) -> None:
    assert Redactor(names=["secrets-api", "token-service"]).text(text) == masked


def test_a_log_is_masked_by_names_too_across_its_batches() -> None:
    line = b"connect DB_PASSWORD=12 failed\n"
    assert b"".join(Redactor().stream(line for _ in range(9000))) == line.replace(b"12", b"***") * 9000
