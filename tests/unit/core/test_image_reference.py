"""Names of images are taken apart before they are compared."""

from __future__ import annotations

import pytest

from orchestrator.core.image_reference import Reference

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("app", Reference("app")),
        ("app:v1.0.0", Reference("app", "v1.0.0")),
        ("ghcr.io/you/app:v1.0.0", Reference("ghcr.io/you/app", "v1.0.0")),
        ("localhost:5000/app", Reference("localhost:5000/app")),
        ("localhost:5000/you/app:1.0", Reference("localhost:5000/you/app", "1.0")),
        (f"localhost:5000/app:1.0@{DIGEST}", Reference("localhost:5000/app", "1.0", DIGEST)),
        (f"app@{DIGEST}", Reference("app", "", DIGEST)),
        (DIGEST, Reference(image_id=DIGEST)),
    ],
)
def test_a_reference_is_taken_apart_and_put_together_again(text: str, reference: Reference) -> None:
    assert Reference.parse(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize(
    ("text", "pin"), [("h:5000/a:v1", "v1"), (f"h:5000/a:v1@{DIGEST}", f"v1@{DIGEST}"), ("h:5000/a", ""), (DIGEST, "")]
)
def test_the_pin_of_a_reference_is_its_tag_with_its_digest(text: str, pin: str) -> None:
    assert Reference.parse(text).pin == pin
