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

from orchestrator.masking import MARK, Mask

# Without the star: a secret that contains the mark itself could be made of it.
SECRETS = st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=4, max_size=40)
BARE = st.text(string.ascii_letters + string.digits + "$%&+/=@:'\" ", min_size=4, max_size=40)
TEXTS = st.text(max_size=60)


@given(st.lists(SECRETS, min_size=1, max_size=5), st.lists(TEXTS, max_size=6), st.data())
def test_no_secret_is_left_wherever_it_stands(secrets: list[str], texts: list[str], data: st.DataObject) -> None:
    text = "".join(data.draw(st.permutations([*texts, *secrets, *secrets])))
    masked = Mask(secrets).text(text)
    assert not [secret for secret in secrets if secret in masked]


@given(BARE, TEXTS, TEXTS)
def test_no_secret_is_left_as_others_write_it(secret: str, before: str, after: str) -> None:
    mask = Mask([secret])
    written = {
        "url": quote(secret, safe=""),
        "form": quote_plus(secret),
        "json": json.dumps({before: [secret + after]}),
        "html": html.escape(secret),
        "hex": secret.encode().hex(),
        "compose": json.dumps(secret.replace("$", "$$")),
        "whole": base64.b64encode(secret.encode()).decode().rstrip("="),
        "lower": re.sub("%..", lambda match: match[0].lower(), quote(secret, safe="")),
    }
    for name, form in written.items():
        bare = form[1:-1] if name == "compose" else form
        masked = mask.text(f"{before}{bare}{after}")
        assert name == "json" or bare not in masked, name
        assert secret not in masked, name


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
    masked = Mask([secret]).text(encoded)
    assert MARK in masked
    kept = masked.replace(MARK, "")
    assert len(kept) * 6 // 8 < len(before) + len(after) + 8


@given(st.lists(SECRETS, min_size=1, max_size=3), st.lists(TEXTS, max_size=4), st.data())
def test_no_secret_is_left_in_a_log_that_comes_in_chunks(
    secrets: list[str], texts: list[str], data: st.DataObject
) -> None:
    whole = "".join(data.draw(st.permutations([*texts, *secrets]))).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    chunks = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("orchestrator.masking._BATCH_BYTES", 0)
        masked = b"".join(Mask(secrets).stream(chunks))
    assert not [secret for secret in secrets if secret.encode() in masked]


@given(st.lists(SECRETS, max_size=4), TEXTS)
def test_masking_twice_is_masking_once(secrets: list[str], text: str) -> None:
    mask = Mask(secrets)
    assert mask.text(mask.text(text)) == mask.text(text)


DOCUMENTS = st.recursive(
    TEXTS | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8
)


@given(st.lists(BARE, max_size=3), DOCUMENTS)
def test_a_document_keeps_its_shape(secrets: list[str], document: object) -> None:
    masked = Mask(secrets).document(document)
    json.dumps(masked)
    assert type(masked) is type(document)
    assert not [secret for secret in secrets for text in strings(masked) if secret in text]


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
    assert Mask(["hunter2"]).content(content) == content
    assert b"".join(Mask(["hunter2"]).stream([content[:40], content[40:]])) == content


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("POSTGRES_PASSWORD=abc", "POSTGRES_PASSWORD=***"),
        ("password = 'a b c', user=kim", "password = ***, user=kim"),
        ('{"api_token": "x1"}', '{"api_token": "x1"}'),
        ('{"api_token": "x1y2z3"}', '{"api_token": "***"}'),
        ("token: abc123def", "token: ***"),
        ("postgresql://kim:abc@db/x", "postgresql://kim:***@db/x"),
        ("redis://:abc@cache", "redis://:***@cache"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer ***"),
        ("got ghp_abcdefghijklmnopqrst1234", "got ***"),
        ("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\nb", "a\n***\nb"),
    ],
)
def test_what_nobody_knew_is_given_away_by_its_name_or_form(text: str, masked: str) -> None:
    assert Mask().text(text) == masked


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
def test_what_only_speaks_of_secrets_stays(text: str) -> None:
    assert Mask().text(text) == text


def test_values_under_a_name_that_speaks_of_a_secret_go_whole() -> None:
    document = {
        "environment": {"DB_PASSWORD": "a", "MODE": "b"},
        "command": ["--password", "a", "--mode", "b"],
        "key": 1,
    }
    assert Mask().document(document) == {
        "environment": {"DB_PASSWORD": MARK, "MODE": "b"},
        "command": ["--password", MARK, "--mode", "b"],
        "key": 1,
    }


def test_a_long_log_is_masked_across_its_batches() -> None:
    line = b"2026-01-05 something that was done, for hunter2-hunter2\n"
    masked = b"".join(Mask(["hunter2-hunter2"]).stream(line[:9] + line for _ in range(5000)))
    assert masked == (line[:9] + line).replace(b"hunter2-hunter2", b"***") * 5000


def test_what_is_too_short_or_already_a_mark_is_not_looked_for() -> None:
    assert Mask(["abc", "", "****"]).text("abc **** def") == "abc **** def"
