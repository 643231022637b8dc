"""Callers decide by the category of an error, so each code in a category is a code that exists, once."""

import pytest

from orchestrator.core import error_categories
from orchestrator.core.error_categories import Category
from orchestrator.core.errors import PlatformError
from orchestrator.core.owners import OWNERS

LISTED = [code for codes in error_categories._CODES.values() for code in codes.split()]


def test_every_listed_code_is_an_error_that_exists_and_stands_once() -> None:
    assert set(LISTED) <= set(OWNERS)
    assert len(LISTED) == len(set(LISTED))


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("engine.unreachable", Category.UNREACHABLE),
        ("compose.failed", Category.REFUSED),
        ("pull.no_space", Category.NO_SPACE),
        ("database.in_use", Category.IN_USE),
        ("compose.invalid", Category.INVALID),
        ("code.of_a_newer_version", Category.INVALID),
    ],
)
def test_an_error_has_the_category_of_its_code(code: str, category: Category) -> None:
    assert PlatformError(code, "It failed.").category is category
