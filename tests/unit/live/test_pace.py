"""How fast something goes and how long it will still take."""

import pytest

from orchestrator.core.model.progress import Progress
from orchestrator.live.formatting import format_amount, format_rate, format_remaining, format_seconds
from orchestrator.live.rate import Pace

MIB = 1024**2


def counted(done: int, total: int | None = 100 * MIB, *, estimated: bool = False) -> Progress:
    return Progress(label="Writing", done=done, total=total, estimated=estimated)


def test_what_remains_follows_from_how_fast_it_went_lately() -> None:
    pace = Pace.of(counted(0), 0.0)
    for second in range(1, 31):  # slow at first
        pace = pace.followed_by(counted(second * MIB), float(second))
    pace = pace.followed_by(counted(60 * MIB), 40.0)
    assert pace.rate == pytest.approx((60 - 25) * MIB / 15)
    assert pace.remaining_s(40.0) == pytest.approx(40 / (35 / 15))
    assert pace.remaining_s(45.0) == pytest.approx(40 / (35 / 15) - 5)
    assert pace.share == 0.6


def test_nothing_is_said_of_what_cannot_be_known_yet() -> None:
    pace = Pace.of(counted(0), 0.0).followed_by(counted(MIB), 0.3)
    assert pace.rate is None
    assert pace.remaining_s(0.3) is None
    assert format_rate(pace) == format_remaining(pace, 0.3) == ""


def test_another_step_and_one_that_begins_anew_have_a_pace_of_their_own() -> None:
    pace = Pace.of(counted(0), 0.0).followed_by(counted(50 * MIB), 10.0)
    assert pace.followed_by(counted(10 * MIB), 11.0).samples == ((11.0, 10 * MIB),)
    assert pace.followed_by(Progress(label="Reading", done=60 * MIB), 11.0).began == 11.0


def test_where_nothing_is_counted_the_rehearsal_says_how_long_it_takes() -> None:
    pace = Pace.of(Progress(label="Copying", unit="", expected_s=10.0), 100.0)
    assert pace.share_at(104.0) == 0.4
    assert format_remaining(pace, 104.0) == "about 6 s left"
    assert format_remaining(pace, 112.0) == "longer than in the rehearsal"
    assert pace.share_at(112.0) == 1.0


def test_a_guessed_total_is_said_to_be_one() -> None:
    pace = Pace.of(counted(0, estimated=True), 0.0).followed_by(counted(50 * MIB, estimated=True), 5.0)
    assert format_amount(pace.progress) == "50.0 of ~100.0 MiB"
    assert format_rate(pace) == "10.0 MiB/s"
    assert format_remaining(pace, 5.0) == "about 5 s left"


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        (Progress(label="", done=512, total=900), "512 of 900 B"),
        (Progress(label="", done=MIB, total=3 * 1024 * MIB), "0.0 of 3.0 GiB"),
        (Progress(label="", done=3 * MIB), "3.0 MiB"),
        (Progress(label="", done=3, total=7, unit="tables"), "3 of 7 tables"),
        (Progress(label="", unit=""), ""),
        (Progress(label=""), ""),
    ],
)
def test_amounts_are_told_in_a_unit_that_fits(progress: Progress, told: str) -> None:
    assert format_amount(progress) == told


@pytest.mark.parametrize(("seconds", "told"), [(0.6, "1 s"), (59.4, "59 s"), (125, "2 min 05 s"), (4020, "1 h 07 min")])
def test_times_are_told_as_a_person_says_them(seconds: float, told: str) -> None:
    assert format_seconds(seconds) == told
