"""Check that users meet one version, all that they saved, a schema that fits, and no other writer."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.invariants.evidence import Evidence

_NEEDS_QUIET = frozenset({"database.copy.before", "database.swap.before"})


def x1_served_by_one(case: Evidence) -> Iterator[str]:
    """At most one version can be reached at any moment; at the end one serves, or the operator was told how."""
    for step, moment in case.moments:
        versions = {one.version for one in moment.app if one.reached}
        if len(versions) > 1:
            yield f"at {step.point.name} users reach {sorted(versions)}"
    serving = [one for one in case.end.app if one.reached and one.healthy]
    served = {one.service for one in serving} >= set(case.plan.target.services)
    if case.safe and (not served or len({one.version for one in serving}) != 1):
        yield f"at the end {[(one.service, one.version) for one in serving]} serve"
    if not case.safe and not case.report.next_steps:
        yield "an operator is needed and is told nothing"


def x2_no_lost_write(case: Evidence) -> Iterator[str]:
    """What was acknowledged is in the live database, or in one that the report names for its operator."""
    named = {case.world.live, *case.report.quarantine}
    if not case.safe and case.report.snapshot:
        named.add(case.report.snapshot)  # the runbook says how it comes back
    copies = [held.missing for name, held in case.end.databases.items() if name in named]
    lost = frozenset.intersection(*copies) if copies else frozenset(range(case.end.acknowledged))
    if lost:
        yield f"entries {sorted(lost)} of {case.end.acknowledged} are in none of {sorted(named)}"


def x3_schema_matches_version(case: Evidence) -> Iterator[str]:
    """A version that users reach on an open database finds a schema that it declares, whole."""
    for name, moment in (*((step.point.name, moment) for step, moment in case.moments), ("the end", case.end)):
        live = moment.held_live()
        if live is None or live.fenced:
            continue
        for one in moment.app:
            if one.reached and (live.torn or live.schema not in one.lives_on):
                yield f"at {name} users reach {one.version} on schema {live.schema}{', torn' if live.torn else ''}"


def x4_one_writer(case: Evidence) -> Iterator[str]:
    """While a migration works, nobody else is connected; while a database is copied or swapped, nobody is."""
    for step, moment in case.moments:
        if moment.jobs and len(moment.sessions) > 1:
            yield f"at {step.point.name} {moment.sessions} are connected while {moment.jobs} work"
        if step.point.name.partition("#")[0] in _NEEDS_QUIET and moment.sessions:
            yield f"at {step.point.name} {moment.sessions} are connected"
        if _starts_app(step.point.name) and moment.jobs:
            yield f"at {step.point.name} {moment.jobs} still work"


def _starts_app(point: str) -> bool:
    return point.startswith("workloads.start_services.before")
