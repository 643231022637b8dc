"""The end of a run."""

from collections.abc import Mapping
from enum import StrEnum


class Verdict(StrEnum):
    """The end of a run."""

    COMMITTED = "committed"
    UP_TO_DATE = "up_to_date"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"
    NEEDS_OPERATOR = "needs_operator"
    INTERNAL_ERROR = "internal_error"


EXIT_CODES: Mapping[Verdict, int] = {
    Verdict.COMMITTED: 0,
    Verdict.UP_TO_DATE: 0,
    Verdict.REFUSED: 10,
    Verdict.ROLLED_BACK: 20,
    Verdict.NEEDS_OPERATOR: 30,
    Verdict.INTERNAL_ERROR: 70,
}
