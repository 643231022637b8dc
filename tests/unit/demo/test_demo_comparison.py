"""The demo's table, and what the demo takes for a failure."""

import pytest

from deploy.demo.comparison import EXPECTED, Upgrade, build_table, find_differences


def as_expected() -> list[Upgrade]:
    return [
        Upgrade("1.0.0", release, rehearsed, verdict, exit_code, 0 if verdict == "refused" else 3.5, acknowledged=120)
        for (release, rehearsed), (verdict, exit_code) in EXPECTED.items()
    ]


def test_upgrades_as_expected_differ_in_nothing() -> None:
    assert find_differences(as_expected()) == []


def test_another_verdict_differs() -> None:
    upgrades = as_expected()
    upgrades[1].verdict, upgrades[1].exit_code = "needs_operator", 30
    assert find_differences(upgrades) == ["the upgrade to 1.2.0 ended ('needs_operator', 30), not ('refused', 10)"]


def test_a_refused_upgrade_that_users_noticed_differs() -> None:
    upgrades = as_expected()
    upgrades[2].unreachable_s = 0.2
    assert find_differences(upgrades) == ["users were without the app while the upgrade to 1.3.0 was refused"]


def test_one_lost_entry_differs() -> None:
    upgrades = as_expected()
    upgrades[3].lost = 1
    assert find_differences(upgrades) == ["the upgrade to 1.4.0 lost 1 acknowledged entries"]


def test_a_writer_that_wrote_nothing_proves_nothing() -> None:
    upgrades = as_expected()
    upgrades[0].acknowledged = 0
    assert find_differences(upgrades) == ["no entry was acknowledged around the upgrade to 1.1.0"]


@pytest.mark.parametrize("count", [0, 3])
def test_a_missing_upgrade_differs(count: int) -> None:
    assert len(find_differences(as_expected()[:count])) == 1


def test_the_table_has_a_line_for_each_upgrade_within_80_columns() -> None:
    upgrades = as_expected()
    upgrades[-1].unreachable_s, upgrades[-1].acknowledged, upgrades[-1].in_quarantine = 123.456, 12345, 1234
    lines = build_table(upgrades).splitlines()
    assert len(lines) == 2 + len(EXPECTED)
    assert max(map(len, lines)) <= 80
    headings = ["upgrade", "rehearsed", "verdict", "exit", "unreachable", "saved", "set", "aside", "lost"]
    assert lines[0].split() == headings
    assert " ".join(lines[-1].split()) == "1.0.0 → 1.4.0 no rolled back 20 123.46 s 12345 1234 0"
