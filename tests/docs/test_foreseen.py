"""Every error has its row in the table of what is foreseen, and every look of preflight foresees something."""

from __future__ import annotations

from states.shared.preflight_checks import CHECKS, CLIENT_CHECKS, STORE_CHECKS
from tests.docs.foreseen import BETWEEN, OTHER_CHECKS, REFUSED_FOR_ITS_OWN_SAKE, find_elsewhere
from tests.unit.core.test_owners import find_codes


def test_every_error_code_is_foreseen_or_cannot_be_or_is_raised_elsewhere() -> None:
    found = dict(find_codes())
    nowhere = [f"{where}: {code}" for code, where in found.items() if code not in BETWEEN and not find_elsewhere(code)]
    assert not nowhere, "give each its line in tests/docs/foreseen.py:\n" + "\n".join(sorted(nowhere))
    assert {code for code in BETWEEN if code not in found} == set(), "these are raised no more"


def test_no_code_is_both_between_stop_and_commit_and_elsewhere() -> None:
    assert [code for code in BETWEEN if find_elsewhere(code)] == []


def test_every_row_says_why_it_can_still_be() -> None:
    assert [code for code, row in BETWEEN.items() if not row.rest] == []


def test_every_look_that_is_named_is_made_and_every_look_foresees_something() -> None:
    named = {name for row in BETWEEN.values() for name in row.looks} | {*REFUSED_FOR_ITS_OWN_SAKE}
    made = {*CHECKS, *STORE_CHECKS, *CLIENT_CHECKS}
    assert named - made == {*OTHER_CHECKS}
    assert made - named == set()
