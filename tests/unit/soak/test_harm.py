"""Harm by a seed, the end of a harmed operation, and a judge that sees its faults."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from tests.soak.course import NOTHING_TO_DO, Courses
from tests.soak.harm import ATTEMPTS, SIGNALS, Blow, Harm, Hit, Measure, Moment, Taking, choose_harm, find_moment
from tests.soak.kept import Kept
from tests.soak.operation import Landed, Over, Position
from tests.soak.rounds import Kind, Step
from tests.soak.table import Ran, build_blows, build_ends

UPGRADE = Step(Kind.UPGRADE, "1.1.0", quiet=False)
BACK = Step(Kind.ROLLBACK, "1.0.0", quiet=False)
BAD = Step(Kind.BAD_MIGRATION, "1.2.0", quiet=False)
KILLED = Landed(Blow.KILL, "run", "migrate")
HARMED = Ran(UPGRADE, "refused", 10, 0.0, ("1.0.0", "1.0.0"), landed=[KILLED], takings=1)
HARM = Harm(Hit(Blow.KILL, 0.5, None), None, tuple(Taking("recover") for _ in range(ATTEMPTS)))
RUN = ("run", "plan.yaml")


@dataclass
class ScriptedHands:
    """Does what it is told of each command in turn: which position it leaves, and whether its blow hits."""

    ends: list[Position]
    hits: bool = True
    position: Position = field(default_factory=Position)
    commands: list[str] = field(default_factory=list)
    exit_code: int = 0
    said: str = NOTHING_TO_DO

    def perform(self, arguments: Sequence[str], hit: Hit | None, measure: Measure) -> Over:
        self.commands.append(arguments[0])
        self.position = self.ends.pop(0) if self.ends else self.position
        landed = Landed(hit.blow, arguments[0], "stop") if hit and self.hits else None
        return Over(self.exit_code, self.said, 3.0, landed)

    def restart(self, blow: Blow) -> Landed | None:
        self.commands.append(blow.value)
        return Landed(blow, "between", "stop")

    def look(self) -> Position:
        return self.position


def take(hands: ScriptedHands, harm: Harm | None) -> tuple[list[str], list[str], Measure]:
    courses = Courses(hands, "plan.yaml", pause=lambda: None)
    course, measure = courses.take(RUN, harm, Measure(9.0, 40))
    return hands.commands, course.problems, measure


def test_a_seed_chooses_the_same_harm_whatever_was_done_before() -> None:
    chosen = [choose_harm(5, number, 0.7) for number in range(200)]
    assert [choose_harm(5, number, 0.7) for number in reversed(range(200))] == chosen[::-1]
    assert chosen != [choose_harm(6, number, 0.7) for number in range(200)]


@pytest.mark.parametrize(("probability", "at_least", "at_most"), [(0.0, 0, 0), (0.7, 240, 320), (1.0, 400, 400)])
def test_as_many_operations_are_harmed_as_is_wanted(probability: float, at_least: int, at_most: int) -> None:
    assert at_least <= sum(choose_harm(1, number, probability) is not None for number in range(400)) <= at_most


def test_every_blow_comes_at_moments_all_over_and_most_are_kills() -> None:
    harms = [harm for number in range(2000) if (harm := choose_harm(3, number, 1.0))]
    counted = Counter(harm.first.blow for harm in harms)
    assert set(counted) == set(Blow)
    assert counted[Blow.KILL] > len(harms) / 2
    assert {int(10 * harm.first.share) for harm in harms} == set(range(10))
    assert 800 < sum(harm.first.delay_s is None for harm in harms) < 1200


def test_some_recoveries_are_cut_off_some_runs_resumed_and_some_containers_restarted_meanwhile() -> None:
    harms = [harm for number in range(2000) if (harm := choose_harm(3, number, 1.0))]
    again = [taking.hit for harm in harms for taking in harm.takings if taking.hit]
    assert 500 < len(again) < 900
    assert {hit.blow for hit in again} == {Blow.KILL, Blow.TERMINATE}
    assert {taking.command for harm in harms for taking in harm.takings} == {"recover", "resume"}
    assert {harm.meanwhile for harm in harms} == {None, *Blow} - set(SIGNALS)


def test_nothing_is_cut_off_so_often_that_the_product_may_give_it_up() -> None:
    harms = [harm for number in range(2000) if (harm := choose_harm(3, number, 1.0))]
    assert max(sum(taking.hit is not None for taking in harm.takings) for harm in harms) == 1


def test_a_moment_is_a_share_of_the_seconds_or_of_the_records_that_were_measured() -> None:
    measure = Measure(seconds=20.0, records=40)
    assert find_moment(Hit(Blow.KILL, 0.25, None), measure) == Moment(5.0)
    assert find_moment(Hit(Blow.KILL, 0.0, 0.3), measure) == Moment(0.3, 1)
    assert find_moment(Hit(Blow.KILL, 0.999, 0.3), measure) == Moment(0.3, 40)


def test_an_operation_that_nobody_disturbs_is_measured_and_not_taken_up() -> None:
    hands = ScriptedHands([Position("r-1", 33, "cleanup", "committed")])
    assert take(hands, None) == (["run"], [], Measure(3.0, 33))


def test_a_blow_that_came_too_late_leaves_nothing_to_take_up() -> None:
    hands = ScriptedHands([Position("r-1", 33, "cleanup", "committed")], hits=False)
    assert take(hands, HARM) == (["run"], [], Measure(3.0, 33))


def test_what_was_cut_off_is_taken_up_until_it_has_an_end_and_once_more_for_nothing() -> None:
    cut, ended = Position("r-1", 9, "stop"), Position("r-1", 14, "rollback", "rolled_back")
    hands = ScriptedHands([cut, replace(cut, records=10), ended])
    harm = replace(HARM, meanwhile=Blow.APP)
    assert take(hands, harm) == (
        ["run", "app restarted", "recover", "recover", "recover"],
        [],
        Measure(9.0, 40),
    )


def test_a_run_that_never_ends_is_a_problem_after_a_bounded_number_of_attempts() -> None:
    commands, problems, _ = take(ScriptedHands([Position("r-1", 9, "stop")]), HARM)
    assert commands == ["run", *["recover"] * (ATTEMPTS + 1)]
    assert problems == [f"r-1 has no end after it was taken up {ATTEMPTS} times"]


@pytest.mark.parametrize(
    ("again", "exit_code", "said"),
    [
        (Position("r-1", 15, "rollback", "rolled_back"), 0, NOTHING_TO_DO),
        (Position("r-1", 14, "rollback", "rolled_back"), 70, NOTHING_TO_DO),
        (Position("r-1", 14, "rollback", "rolled_back"), 0, "ROLLED BACK"),
    ],
    ids=["it records something", "it fails", "it says something else"],
)
def test_a_second_recovery_that_does_anything_is_a_problem(again: Position, exit_code: int, said: str) -> None:
    ended = Position("r-1", 14, "rollback", "rolled_back")
    _, problems, _ = take(ScriptedHands([ended, again], exit_code=exit_code, said=said), HARM)
    assert len(problems) == 1


def test_any_named_end_is_good_for_what_was_hit_if_its_version_serves() -> None:
    good = [
        HARMED,
        replace(HARMED, verdict="not begun", exit_code=0),
        replace(HARMED, verdict="rolled_back", exit_code=20),
        replace(HARMED, verdict="refused", exit_code=143),
        replace(HARMED, verdict="committed", exit_code=0, served=("1.0.0", "1.1.0")),
        replace(HARMED, step=BACK, served=("1.1.0", "1.1.0")),
        replace(HARMED, step=BACK, verdict="committed", exit_code=0, served=("1.1.0", "1.0.0")),
    ]
    assert [one.problems for one in good] == [[]] * len(good)


@pytest.mark.parametrize(
    "bad",
    [
        replace(HARMED, verdict="needs_operator", exit_code=30),
        replace(HARMED, verdict="internal_error", exit_code=70),
        replace(HARMED, verdict="rolled_back", exit_code=0),
        replace(HARMED, served=("1.0.0", "1.1.0")),
        replace(HARMED, verdict="not begun", served=("1.0.0", "1.1.0")),
        replace(HARMED, verdict="committed", exit_code=0),
        replace(HARMED, step=BAD, verdict="committed", exit_code=0, served=("1.0.0", "1.2.0")),
        replace(HARMED, missing=1),
        replace(HARMED, differences=["ledger is fenced"]),
        replace(HARMED, landed=[]),
    ],
)
def test_each_wrong_end_of_what_was_hit_is_a_problem(bad: Ran) -> None:
    assert len(bad.problems) == 1


def test_what_must_be_beside_the_live_database_follows_from_the_reports() -> None:
    kept = Kept()
    kept.note(BAD, report("rolled_back", snapshot="unwritten"))
    assert (kept.must, kept.may) == ({"unwritten"}, set())
    kept.note(UPGRADE, report("committed", snapshot="first"))
    assert (kept.must, kept.may) == ({"first"}, set())
    kept.note(BACK, report("refused"))
    assert kept.must == {"first"}
    kept.note(BACK, report("committed"))
    assert (kept.must, kept.may) == (set(), set())


def test_data_that_were_swapped_in_and_taken_back_must_stay_for_the_next_attempt() -> None:
    kept = Kept()
    kept.note(UPGRADE, report("committed", snapshot="first"))
    kept.note(BACK, report("rolled_back", quarantine=("again",)))
    assert kept.must == {"again"}
    kept.note(BACK, report("committed", quarantine=("replaced",)))
    assert kept.must == set()


@pytest.mark.parametrize(
    ("ran", "may"),
    [
        (HARMED, False),
        (replace(HARMED, step=BACK), False),
        (replace(HARMED, step=BACK, verdict="committed"), True),
        (replace(HARMED, step=Step(Kind.UNHEALTHY_OPEN, "1.3.0", quiet=False)), True),
        (replace(HARMED, landed=[Landed(Blow.APP, "run", "migrate")]), True),
    ],
)
def test_only_what_users_saved_in_a_version_that_had_to_go_may_be_aside(ran: Ran, may: bool) -> None:
    assert ran.may_set_aside is may


def test_a_cleanup_that_failed_may_leave_what_it_would_have_removed() -> None:
    kept = Kept()
    kept.note(UPGRADE, report("committed", snapshot="first"))
    kept.note(UPGRADE, report("committed", snapshot="second", cleaned="failed"))
    assert (kept.must, kept.may) == ({"second"}, {"first"})


def test_the_tables_count_blows_by_state_and_ends_of_what_was_hit() -> None:
    again = Landed(Blow.TERMINATE, "recover", "rollback")
    ran = [HARMED, replace(HARMED, verdict="odd", landed=[KILLED, again]), replace(HARMED, landed=[])]
    blows = [line.split() for line in build_blows(ran).splitlines()[2:]]
    assert blows == [
        ["migrate", "2", "0", "0", "0", "0", "0", "2", "0"],
        ["rollback", "0", "1", "0", "0", "0", "0", "1", "1"],
        ["all", "2", "1", "0", "0", "0", "0", "3", "1"],
    ]
    heading, _, upgrades, *_, total = build_ends(ran).splitlines()
    assert heading.split()[-1] == "odd"
    assert upgrades.split() == ["good", "upgrade", "0", "0", "1", "0", "1"]
    assert total.split() == ["all", "0", "0", "1", "0", "1"]


def report(
    verdict: str, snapshot: str | None = None, cleaned: str = "done", quarantine: tuple[str, ...] = ()
) -> dict[str, object]:
    states = [{"kind": "cleanup", "outcome": cleaned}]
    return {"verdict": verdict, "snapshot": snapshot, "quarantine": list(quarantine), "states": states}
