"""Categories of errors, by which callers decide whether to wait, to try again or to turn back."""

from collections.abc import Mapping
from enum import StrEnum


class Category(StrEnum):
    """The kind of an error, whatever product reported it."""

    UNREACHABLE = (
        "unreachable"  # it did not answer, or has no room for one more caller: the same call may succeed later
    )
    REFUSED = "refused"  # it answered and did not do it; another state of the world may change that
    NO_SPACE = "no_space"
    IN_USE = "in_use"  # somebody else holds it
    INVALID = "invalid"  # the request, a login or a name in it is wrong; waiting does not help


# A source of releases is left out: its own client asks again, within the budget of one question.
_CODES: Mapping[Category, str] = {
    Category.UNREACHABLE: """
        database.full database.unreachable engine.unreachable image.unreachable pull.failed pull.rate_limited
    """,
    Category.REFUSED: """
        compose.failed compose.program_missing engine.refused
    """,
    Category.NO_SPACE: """
        backup.no_space database.no_space doctor.no_room journal.no_space pull.no_space refused.no_space
        rehearse.no_space
    """,
    Category.IN_USE: """
        database.fenced database.in_use database.locked job.exists lock.held refused.in_use
    """,
}
_CATEGORIES: Mapping[str, Category] = {code: one for one, codes in _CODES.items() for code in codes.split()}


def find_category(code: str) -> Category:
    """The category of an error code; `Category.INVALID` for a code that is in none of the others."""
    return _CATEGORIES.get(code, Category.INVALID)
