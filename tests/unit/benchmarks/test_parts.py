"""Each part compares the right figures of its rounds, and marks those beyond their bound."""

from benchmarks import backup_restore as backup
from benchmarks import growth, outage, overhead
from benchmarks.contenders import (
    CAREFUL_SCRIPT,
    COMMITTED,
    FLOOR,
    MIGRATION_FAILED,
    ORCHESTRATED,
    SCRIPT,
    WAS_NEVER_GOOD,
    Measured,
    tell_deliberate,
)
from benchmarks.ground import HEALTH_S, STEADY_S
from benchmarks.observed import (
    COMPOSE,
    DATA,
    JOURNAL,
    OUTSIDE,
    OWN,
    START_UP,
    WAITING,
    WATCHING,
    Loops,
    classify,
)
from benchmarks.outage import DOWNLOADED, THERE, Case
from benchmarks.process import read_peak
from benchmarks.report import Part
from states.shared import health_check

PACKAGES = "/x/site-packages"


def _text(part: Part) -> str:
    return part.to_markdown("Taken now.")


def _took(outage_s: float, *, deliberate_s: float = 0.0, **parts: float) -> Measured:
    return Measured(outage_s, deliberate_s, outage_s + 10, 1, 50_000_000, parts)


def test_outage_is_compared_without_deliberate_waits() -> None:
    taken = {
        ORCHESTRATED: [_took(3.1, deliberate_s=1.0, stop=1.5)],
        SCRIPT: [_took(8.4)],
        CAREFUL_SCRIPT: [_took(12.0)],
        FLOOR: [_took(2.0, copy=0.4)],
    }
    text = _text(outage.build_part({Case(10, COMMITTED, THERE): taken}))
    assert "| 10 MB, committed, image there | 3.10 | 1.00 | 8.40 | 12.00 | 2.00 | 1.05 | 0.25 |" in text
    assert "| orchestrator: 10 MB, committed | 1.50 |" in text
    assert "| floor: 10 MB, committed | 0.40 |" in text
    assert "| 10 MB, committed, image there: orchestrator | 13.10 | 50 |" in text


def test_deliberate_waits_are_known_by_existing_names() -> None:
    assert callable(getattr(health_check, WATCHING))


def test_wait_of_the_rehearsal_is_not_deliberate() -> None:
    assert tell_deliberate(COMMITTED, {"health": STEADY_S + 0.4}) == STEADY_S
    assert tell_deliberate(COMMITTED, {"health": 0.8}) == 0
    assert tell_deliberate(WAS_NEVER_GOOD, {"health": HEALTH_S}) == HEALTH_S
    assert tell_deliberate(MIGRATION_FAILED, {}) == 0


def test_an_outage_that_is_too_long_is_marked_and_the_floor_downloads_nothing() -> None:
    case = Case(10, COMMITTED, DOWNLOADED)
    text = _text(outage.build_part({case: {ORCHESTRATED: [_took(4.5)], SCRIPT: [_took(8.0)]}}))
    assert "| 10 MB, committed, image downloaded | 4.50 | 0.00 | 8.00 |  |  |  | 0.56 ✗ |" in text
    assert FLOOR not in case.contenders


def test_a_backup_is_held_to_the_dump_that_goes_nowhere_and_to_gzip() -> None:
    seconds = dict.fromkeys((backup.CUSTOM, backup.FOLDER, backup.PSQL, backup.PG_RESTORE, backup.RESTORED), 4.0)
    seconds |= {backup.NOWHERE: 2.0, backup.GZIP: 6.0, backup.DUMPED: 2.4, backup.PROVEN: 3.2, backup.STATE: 3.4}
    text = _text(backup.build_part({1000: [backup.Round(seconds, 200_000_000)]}, {1000: 1_000_000_000}))
    assert "| 1000 MB: orchestrator, dump | 2.40 | 417 | 1.20 | 2.50 |" in text
    assert "| 1000 MB: orchestrator, dump and proof | 3.20 | 312 | 1.60 ✗ | 1.88 ✗ |" in text
    assert "| 1000 MB: orchestrator, all of the state | 3.40 | 294 | 1.70 | 1.76 |" in text
    assert "| 1000 MB: pg_dump -Fc | 4.00 | 250 | 2.00 | 1.50 |" in text
    assert "| 1000 MB | 200.00 ✗ |" in text


def test_added_seconds_leave_out_engine_database_and_necessary_waits() -> None:
    spent = {
        "before and after": {START_UP: 0.5},
        "health": {WAITING: 1.3, OUTSIDE: 2.0, JOURNAL: 0.01},
        "start": {COMPOSE: 3.0, OWN: 0.04},
        "backup": {DATA: 5.0},
    }
    taken = overhead.Round(20.0, spent, 4, ["up"], 0.1, 0.3)
    assert round(taken.added_s, 6) == 0.5 + 0.01 + 0.04 + 0.3 + 0.4
    text = _text(overhead.build_part({10: [taken]}, [0.006]))
    assert "| 0.30 | 1.25 | 6.2% ✗ |" in text
    assert "4 Compose invocations, 1 of them while users were without the app (up)" in text
    assert "6.00 ✗ ms a state" in text


def test_stack_is_classified_by_state_and_purpose() -> None:
    service, stop = ("/x/orchestrator/run/service.py", "run"), ("/x/states/stop.py", "perform")
    compose = ("/x/orchestrator/adapters/compose/command.py", "_collect")
    socket = ("/usr/lib/python3.11/socket.py", "readinto")
    assert classify([("/x/orchestrator/plan/load.py", "load_plan")]) == ("before and after", START_UP)
    assert classify([("/usr/lib/python3.11/subprocess.py", "communicate"), compose, stop, service]) == ("stop", COMPOSE)
    assert classify([socket, (f"{PACKAGES}/urllib3/connection.py", "getresponse"), stop, service]) == ("stop", OUTSIDE)
    elsewhere = [("/usr/lib/python3.11/threading.py", "wait"), ("/x/orchestrator/adapters/host/blocking.py", "call")]
    assert classify([*elsewhere, stop, service]) == ("stop", OUTSIDE)
    assert classify([("/x/orchestrator/journal/journal.py", "append"), service]) == ("runner", JOURNAL)
    pause = ("/x/orchestrator/core/deadline.py", "pause")
    assert classify([("/usr/lib/python3.11/threading.py", "wait"), pause, stop, service]) == ("stop", WAITING)
    backup_state = ("/x/states/backup.py", "perform")
    archive = ("/x/orchestrator/adapters/backups/archive.py", "write")
    stream = ("/x/orchestrator/adapters/docker/container_exec.py", "stream")
    assert classify(
        [archive, stream, ("/x/states/shared/backup_proof.py", "dump_and_prove"), backup_state, service]
    ) == (
        "backup",
        DATA,
    )
    assert classify([("/x/orchestrator/checker/search.py", "walk"), service]) == ("runner", OWN)
    waits = ("/usr/lib/python3.11/concurrent/futures/_base.py", "result")
    assert classify([waits, stream, stop, service]) == ("stop", OUTSIDE)
    assert classify([waits, archive, stream, backup_state, service]) == ("backup", DATA)
    assert classify([("/x/orchestrator/run/service.py", "<module>")]) == ("before and after", START_UP)


def test_half_of_the_last_pause_of_each_loop_was_waited_in_vain() -> None:
    loops = Loops()
    for call, pause, seconds in ((1, 10, 0.2), (1, 11, 0.1), (1, 11, 0.1), (2, 12, 0.3), (1, 13, 0.1)):
        loops.note(call, pause, seconds)
    assert round(loops.in_vain_s, 6) == (0.2 + 0.3 + 0.1) / 2


def test_growth_tells_slope_and_bend_and_what_is_beyond_the_copy() -> None:
    axis = growth.Axis("database size", "MB")
    for size in (10, 100, 1000):
        seconds = 2 + size / 1000
        axis.points[size] = [(_took(seconds), _took(seconds))]
        axis.copies[size] = [size / 1000]
    text = _text(growth.build_part([axis]))
    assert "| against database size | 10 MB | 100 MB | 1000 MB | slope, ms | bend |" in text
    assert "| outage, committed | 2.01 | 2.10 | 3.00 | 1.000 |" in text
    assert "| rolled back beyond the copy | 2.00 | 2.00 | 2.00 | 0.000 |" in text
    assert "✗ |" not in text


def test_a_plan_gets_as_many_states_as_are_asked_for_and_each_leads_on() -> None:
    states = {
        "confirm": {"kind": "confirm", "then": {"accepted": "prefetch"}},
        "prefetch": {"kind": "pull", "then": {"done": "end"}},
        "end": {"end": "refused"},
    }
    plan = growth.add_states({"states": states}, 5)
    assert isinstance(plan["states"], dict)
    name, seen = "confirm", []
    while name != "prefetch":
        seen.append(name)
        name = next(iter(plan["states"][name]["then"].values()))
    assert seen == ["confirm", "step_0", "step_1", "step_2"]


def test_peak_memory_is_read_from_the_kernel() -> None:
    assert read_peak("Name:\torchestrator\nVmPeak:\t 900 kB\nVmHWM:\t   61234 kB\n") == 61234 * 1024
    assert read_peak("Name:\tgone\nState:\tZ (zombie)\n") == 0
