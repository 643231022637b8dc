"""What can go wrong between the stop and the commit, and the look that foresees it: the table behind docs/foreseen.md.

An error code that is new gets its line here: in `BETWEEN` if a state or an adapter can raise it with the app down, with
the looks that would have shown it before, and what is left that none can show; in `ELSEWHERE` otherwise. Looks are
named as `states.shared.preflight_checks` and `orchestrator doctor` name them; `OTHER_CHECKS` are the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Foreseen:
    """One code: the looks that foresee it, and in ``rest`` why it can still be, or why no look is possible."""

    looks: tuple[str, ...]
    rest: str


OTHER_CHECKS: Mapping[str, str] = {
    "lint": "the plan alone, on every way through it",
    "journal": "`doctor` reads the journal and its folder; a run begins by writing to it",
    "engine": "the first question to the engine",
    "database": "the first question to the database server",
    "freeze": "the project is rendered as a run begins",
    "check": "the state that finds the release and what runs",
    "prefetch": "a `pull` before the stop",
    "backup": "the dump, read back in full",
    "rehearsal": "backup, migration and start of the new version on a copy",
    "database rights": "`doctor` makes, loads, closes and drops a database of its own",
}

#: Looks that foresee no error: without them a run would end well, and be wrong.
REFUSED_FOR_ITS_OWN_SAKE: Mapping[str, str] = {
    "drift": "a new container that lacks what the one that ran was given",
    "image": "a release for other machines",
    "version": "a way back to a version that did not run",
    "database volume": "files that another server writes, or that Compose replaces",
    "other databases": "a backup of a database that the app does not use",
}

_AWAY = "It can go away at any moment; it is waited for, and then the run goes back."
_ASKED = "It answered a moment before; what it refuses of a later call is only seen then."
_MEANWHILE = "Somebody may do it after the look."

#: Codes that can be raised with the app down.
_BETWEEN = """
backup.damaged | backup | A disk may fail while a dump takes the place of the copy.
backup.exists | - | The name carries run and time; somebody would have to make it.
backup.incomplete | backup | A dump in place of the copy is read back before it counts.
backup.missing | backup | {meanwhile}
backup.name | - | Names are made by the program, out of versions that `check` has read.
backup.no_space | backup folder, room for backups | Others may fill the disk after the look.
backup.not_writable | backup folder | {meanwhile}
backup.outside | - | Only files that the journal names are removed, and it is found if it was altered.
command.failed | - | What a step of the operator ends with is its own; only where it starts is looked at.
command.not_started | names | {meanwhile}
compose.failed | engine, rehearsal | {asked}
compose.file_missing | freeze | {meanwhile}
compose.invalid | freeze | The frozen project is used; what is edited since is left alone.
compose.missing | freeze | {meanwhile}
compose.not_regular | freeze | {meanwhile}
compose.not_removed | - | It is raised as old runs are cleaned up, and costs no run its end.
compose.not_written | journal | A run holds 1 MiB in reserve for what it still has to write.
compose.program_missing | rehearsal | Which programs an image has is known when it is here; without a rehearsal, there.
compose.template_changed | freeze | {meanwhile}
database.authentication | database | {meanwhile}
database.client | backup | {meanwhile}
database.dump_failed | backup | The same dump was taken before the stop.
database.failed | database rights, rehearsal | {asked}
database.fenced | database state | {meanwhile}
database.full | database load | Others may take the last connections; it is waited for.
database.in_use | sessions | Who comes after the look is kept out by the fence, and named if they stay.
database.locked | database load, backup | {meanwhile}
database.missing | database | {meanwhile}
database.name | database | Names of copies are made by the program and checked by its tests.
database.no_space | room for the copy | Others may fill the disk; a dump takes the place of the copy then.
database.prepared | database load | {meanwhile}
database.restarted | - | {away}
database.restore_failed | rehearsal | The same dump was restored into a scratch server.
database.rights | database state, database rights | {meanwhile}
database.roles_failed | rehearsal | It is raised in a rehearsal alone.
database.swap_failed | database rights | {asked}
database.unproven | - | A setting or a restart in between takes the evidence away; the copy counts then.
database.unreachable | database | {away}
database.version | database | {meanwhile}
engine.no_compose | engine | {meanwhile}
engine.refused | engine | {asked}
engine.unreachable | engine | {away}
env.missing | freeze, pin | {meanwhile}
env.not_writable | pin | {meanwhile}
env.variable_missing | freeze | {meanwhile}
env.variable_unused | freeze | {meanwhile}
gate.impossible | gate | {meanwhile}
gate.no_address | gate | The new version may end as it starts; the rehearsal shows most of that.
gate.not_opened | gate | {asked}
health.failed | services, rehearsal | How a version behaves on this host is seen there alone.
health.killed | rehearsal | The kernel ends what needs more memory than there is at that moment.
health.not_behind_gate | gate | The address is that of the plan and does not change.
health.not_steady | rehearsal | How a version behaves on this host is seen there alone.
health.timeout | gate, rehearsal | How a version behaves on this host is seen there alone.
health.unhealthy | services, rehearsal | How a version behaves on this host is seen there alone.
health.wrong_version | rehearsal | How a version behaves on this host is seen there alone.
image.missing | prefetch | {meanwhile}
job.exists | - | The name carries the run; somebody would have to make it.
job.foreign | - | The name carries the run; somebody would have to make it.
job.missing | - | {meanwhile}
migrate.failed | names, rehearsal | A migration may meet data that came after the backup.
migrate.killed | rehearsal | The kernel ends what needs more memory than there is at that moment.
migrate.left_at_work | rehearsal | What a migration leaves behind on the server is seen there alone.
migrate.program_missing | names, rehearsal | Which programs an image has is known when it is here.
migrate.timeout | rehearsal | How long it takes is known from the rehearsal; it can take longer.
pull.denied | check, prefetch | Without a `prefetch` in the plan, `lint` warns (W1).
pull.digest_mismatch | prefetch | Without a `prefetch` in the plan, `lint` warns (W1).
pull.failed | check, prefetch | Without a `prefetch` in the plan, `lint` warns (W1).
pull.no_space | room for images, prefetch | Without a `prefetch` in the plan, `lint` warns (W1).
pull.not_found | check, prefetch | Without a `prefetch` in the plan, `lint` warns (W1).
pull.rate_limited | prefetch | Without a `prefetch` in the plan, `lint` warns (W1).
restore.backup_changed | - | {meanwhile}
restore.rows_differ | rehearsal | The same dump was compared in a scratch server.
run.cut_off | - | {away}
run.exhausted | lint | A plan says how often a state may be entered.
run.interrupted | - | A person asks for it.
run.left | - | A person or the host's shutdown asks for it.
run.not_observed | - | What was done is looked at again because nothing else could show it.
run.other_place | engine, database | {meanwhile}
run.timeout | lint, rehearsal | How long a step takes is known from the rehearsal; it can take longer.
service.drift | drift | {meanwhile}
service.killed | rehearsal | The kernel ends what needs more memory than there is at that moment.
service.not_running | rehearsal | How a version behaves on this host is seen there alone.
service.unknown | freeze, names | The frozen project is used; what is edited since is left alone.
snapshot.differs | - | A copy is compared because nothing else could show it.
"""

#: Codes, or all of a family, that cannot be raised there, by where they are.
ELSEWHERE: Mapping[str, str] = {
    "before the stop: a look refuses, or a state that only reads": """
        command.empty database.collation database.invalid database.limits database.read_only database.standby
        database.template refused.* releases.* image.denied image.not_found image.unreachable
        rehearse.* stage.* service.image_not_here service.other_image
    """,
    "before a run: the plan, the command line, who may use what": """
        engine.plain_tcp engine.unknown_context
        plan.* usage.* doctor.* lock.held journal.not_private journal.not_writable run.unfinished trust.* project.*
    """,
    "after the end of a run, or beside it": "metrics.not_written run.still_unfinished",
    "the journal, which is written throughout: a run has its room in reserve": """
        journal.copy_changed journal.damaged journal.end_not_written journal.ended_twice journal.newer_format
        journal.no_space journal.run_vanished journal.unusable
    """,
    "a bug of this program": "internal.*",
}

_REASONS = {"away": _AWAY, "asked": _ASKED, "meanwhile": _MEANWHILE}


def _read() -> Iterator[tuple[str, Foreseen]]:
    for line in _BETWEEN.strip().splitlines():
        code, looks, rest = (part.strip() for part in line.split("|"))
        names = tuple(name.strip() for name in looks.split(",") if name.strip("- "))
        yield code, Foreseen(names, rest.format(**_REASONS))


BETWEEN: Mapping[str, Foreseen] = dict(_read())


def find_elsewhere(code: str) -> str | None:
    """Where a code is raised that cannot be raised between stop and commit; None for one that is not known here."""
    family = f"{code.partition('.')[0]}.*"
    return next((where for where, codes in ELSEWHERE.items() if {code, family} & {*codes.split()}), None)
