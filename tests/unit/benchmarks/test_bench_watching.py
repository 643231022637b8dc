"""An outage is what its looks say: from the first failure to the good answer after which there was none any more."""

import pytest

from benchmarks.watching import find_outage
from deploy.demo.bed import BedError
from deploy.demo.oracle import Sample


def _looks(text: str) -> list[Sample]:
    """One look a second: `o` the old version, `n` the new one, `.` no good answer."""
    versions = {"o": "1.0.0", "n": "1.1.0"}
    return [Sample(float(at), mark != ".", versions.get(mark)) for at, mark in enumerate(text)]


def test_an_outage_goes_from_the_first_failure_to_the_first_good_answer() -> None:
    outage = find_outage(_looks("ooo....nnn"), "1.1.0")
    assert (outage.began, outage.ended, outage.spans, outage.seconds) == (3.0, 7.0, 1, 4.0)


def test_an_answer_of_another_version_ends_no_outage() -> None:
    assert find_outage(_looks("oo..oonn"), "1.1.0").seconds == 4.0


def test_outage_lasts_until_the_last_failure_when_the_app_flaps() -> None:
    outage = find_outage(_looks("o..n..nn"), "1.1.0")
    assert (outage.seconds, outage.spans) == (5.0, 2)


@pytest.mark.parametrize(("text", "words"), [("oonn", "never away"), ("oo..oo", "not seen well in version 1.1.0")])
def test_failed_upgrade_is_no_measurement(text: str, words: str) -> None:
    with pytest.raises(BedError, match=words):
        find_outage(_looks(text), "1.1.0")
