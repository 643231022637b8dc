"""Assign each error code an owner, so that nobody is told to wait for a fault that is not the release's.

Only failures of the release itself are remembered against it. A new code gets its line here; a test compares.
"""

from collections.abc import Mapping
from enum import StrEnum


class Owner(StrEnum):
    """Who can correct a failure."""

    RELEASE = "release"  # its author: the image, its migration, its health
    PLAN = "plan"  # the plan and the project's own files: a line to correct
    HOST = "host"  # this machine and the servers on it: room, memory, ports, permissions, the database server
    ENGINE = "engine"  # the container engine and what it was asked to do
    REGISTRY = "registry"  # where images and releases come from: a login, a limit, an outage
    OPERATOR = "operator"  # a person: an interruption, an edit, a choice, a program beside the app
    PROGRAM = "program"  # this program: a bug


#: The advice for each owner, as the last line of a report.
ADVICE: Mapping[Owner, str] = {
    Owner.RELEASE: "wait for a better release, or ask its author",
    Owner.PLAN: "correct the line of the plan or of the project that is named, then run the same command again",
    Owner.HOST: "put right what is named on this host (room, memory, permissions, ports, the database server), then"
    " run the same command again",
    Owner.ENGINE: "look whether the container engine answers and what its log says, restart it if need be, then run"
    " the same command again",
    Owner.REGISTRY: "log in where access was denied or wait until it answers, then run the same command again",
    Owner.OPERATOR: "decide or end what is named, then run the same command again",
    Owner.PROGRAM: "report it with `orchestrator support`; this is a mistake of the orchestrator",
}

_CODES: Mapping[Owner, str] = {
    Owner.RELEASE: """
        health.failed health.not_steady health.timeout health.unhealthy health.wrong_version
        image.not_found migrate.failed migrate.left_at_work migrate.timeout
        pull.digest_mismatch
        refused.architecture refused.failed_before rehearse.migration_failed service.not_running
    """,
    Owner.PLAN: """
        command.failed command.not_started compose.file_missing compose.invalid compose.missing compose.not_regular
        compose.program_missing
        database.missing database.name database.version
        engine.plain_tcp engine.unknown_context
        env.missing env.variable_missing env.variable_unused
        gate.impossible gate.no_address health.not_behind_gate migrate.program_missing
        plan.insecure_source plan.invalid plan.not_found plan.not_readable plan.not_yaml plan.repository plan.unsafe
        plan.unknown_service refused.gate refused.several_images refused.volume_anonymous refused.volume_shared
        releases.current_unknown
        service.unknown command.empty service.image_not_here service.other_image refused.other_database
        rehearse.host_network rehearse.surroundings
    """,
    Owner.HOST: """
        backup.damaged backup.exists backup.incomplete backup.missing backup.no_space backup.not_writable
        compose.failed compose.not_removed compose.not_written compose.template_changed
        database.authentication database.client database.dump_failed database.failed database.full database.no_space
        database.collation database.invalid database.limits database.read_only database.standby database.template
        rehearse.tablespace
        database.restarted database.restore_failed database.rights database.roles_failed database.swap_failed
        database.unproven database.unreachable
        doctor.clock doctor.folder_open doctor.open_secret doctor.no_answer doctor.no_room
        engine.no_compose env.not_writable gate.not_opened health.killed
        journal.copy_changed journal.damaged journal.no_space journal.not_private journal.not_writable
        journal.run_vanished journal.unusable
        metrics.not_written migrate.killed pull.no_space
        refused.backup_folder refused.no_space refused.run_folder refused.unhealthy service.killed
        rehearse.differs rehearse.no_space restore.backup_changed restore.rows_differ run.cut_off run.exhausted
        run.timeout
        snapshot.differs stage.database_failed stage.size_unknown
        trust.not_readable trust.other_owner trust.writable
    """,
    Owner.ENGINE: """
        engine.refused engine.unreachable job.missing run.not_observed service.drift stage.left_behind
    """,
    Owner.REGISTRY: """
        image.denied image.unreachable pull.denied pull.failed pull.not_found pull.rate_limited
        releases.denied releases.hostile releases.rate_limited releases.unreachable
    """,
    Owner.OPERATOR: """
        backup.name backup.outside
        database.fenced database.in_use database.locked database.prepared
        doctor.plan_warning image.missing job.exists job.foreign journal.newer_format lock.held
        refused.connections refused.drift refused.edited refused.foreign_backup refused.long_transaction
        refused.mixed_versions refused.no_commit refused.no_digest refused.no_image refused.no_snapshot
        refused.not_running refused.other_name refused.other_server refused.other_version refused.pin_differs
        refused.preflight refused.prepared refused.replication refused.in_use
        releases.downgrade releases.not_comparable releases.not_found
        run.interrupted run.left run.other_place run.still_unfinished run.unfinished
        usage.answer_invalid usage.answer_needed usage.app_images usage.app_is_built usage.cannot_listen
        usage.compose_text usage.edited_meanwhile usage.no_app usage.no_compose_file usage.no_database
        usage.no_folder usage.no_journal usage.no_plan usage.no_quarantine usage.no_receipt usage.no_such_run
        usage.not_readable usage.not_unfinished usage.not_written usage.other_project usage.output_exists
        usage.other_image
        usage.output_unwritable usage.plan_exists usage.token_needed usage.token_short usage.token_unreadable
    """,
    Owner.PROGRAM: """
        internal.exec_stream internal.fact_missing internal.no_clients internal.no_end internal.no_trials
        internal.no_store internal.no_transition internal.not_intended
        internal.pin_without_digest internal.plan_without_form internal.releases internal.retries
        internal.unknown_outcome journal.end_not_written journal.ended_twice
    """,
}

#: Error code → whose it is.
OWNERS: Mapping[str, Owner] = {code: owner for owner, codes in _CODES.items() for code in codes.split()}


def find_owner(code: str) -> Owner | None:
    """Return the owner of a failure with this code; None for a code not known here, as of a newer version."""
    return OWNERS.get(code)
