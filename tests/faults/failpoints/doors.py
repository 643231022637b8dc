"""Every method of every port: whether it only looks or has an effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.adapters.postgres.database import Database
from orchestrator.core.ports import trial
from orchestrator.core.ports.backups import BackupStore, Proof
from orchestrator.core.ports.clock import Clock
from orchestrator.core.ports.data_store import Clients, DataStore
from orchestrator.core.ports.door import Door as ProxyDoor  # no adapter has it yet
from orchestrator.core.ports.history import History
from orchestrator.core.ports.images import Images
from orchestrator.core.ports.metrics import MetricsFile
from orchestrator.core.ports.notifier import Notifier
from orchestrator.core.ports.operator import Operator
from orchestrator.core.ports.probe import Probe
from orchestrator.core.ports.recovery import Recovery, ServiceShell
from orchestrator.core.ports.release_finder import ReleaseFinder
from orchestrator.core.ports.releases import ReleaseFeed
from orchestrator.core.ports.workloads import Containers, Workloads
from orchestrator.journal.journal import Journal

Touch = Literal["look", "effect"]


@dataclass(frozen=True)
class Door:
    """One port as points name it. ``leads_to``: methods and properties that give out another door, by its name;
    ``attributes`` are values, which ask nobody.
    """

    name: str
    protocol: type
    looks: frozenset[str] = frozenset()
    effects: frozenset[str] = frozenset()
    leads_to: Mapping[str, str] = field(default_factory=dict)
    attributes: frozenset[str] = frozenset()

    def touch(self, method: str) -> Touch:
        """What a method is.

        Raises:
            AttributeError: nobody has said it here.
        """
        if method in self.looks:
            return "look"
        if method in self.effects:
            return "effect"
        raise AttributeError(f"{self.protocol.__name__}.{method} is neither a look nor an effect: classify it.")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DATABASE_LOOKS = _words(
    "inspect read_system_identifier sizes sessions connections inspect_load find_obstacles properties"
    " inventory mark changes rows longest_lock_s"
    # It only reads; what is done with the bytes is the effect of whoever takes them.
    " dump"
)
_DATABASE_EFFECTS = _words("copy restore fence unfence swap terminate_sessions end_abandoned drop")
_STORE_LOOKS = _words(
    "inspect identify describe sizes choose_ref find_obstacles longest_lock_s token changes is_same was_restarted"
    " count_commits properties fingerprint find_differences compare_properties compare_copy dump"
)
_STORE_EFFECTS = _words(
    "try_rights lock close unlock evict finish_work end_abandoned copy load_beside exchange discard"
)

DOORS: Mapping[str, Door] = {
    door.name: door
    for door in (
        Door("clock", Clock, _words("now monotonic wait")),
        Door(
            "workloads",
            Workloads,
            _words(
                "inspect_engine read_engine_id adopt find_edits find_obstacles check_pin_writable"
                " read_pin inspect_services inspect_neighbourhood"
                " find_drift check_name"
                " check_gate find_private_url inspect_job wait_job read_logs"
            ),
            _words(
                "freeze write_pin stop_services start_services start_job stop_job"
                " end_jobs save_job_log remove_job run_host_command forget_project"
            ),
        ),
        Door("images", Images, _words("resolve find"), _words("pull keep forget")),
        Door("database", Database, _DATABASE_LOOKS, _DATABASE_EFFECTS),
        Door("store", DataStore, _STORE_LOOKS, _STORE_EFFECTS, attributes=_words("name file_suffix clients")),
        Door("backups", BackupStore, _words("inspect_folder prove read"), _words("write remove")),
        Door("probe", Probe, _words("get")),
        Door("operator", Operator, _words("confirm")),
        Door("feed", ReleaseFeed, _words("list_releases")),
        Door("notifier", Notifier, effects=_words("send")),
        Door("metrics", MetricsFile, _words("read"), _words("write")),
        Door("stages", trial.Trials, _words("list_remnants"), _words("open remove_all"), {"open": "stage"}),
        Door(
            "stage",
            trial.Trial,
            _words("disk_usage reaches get limits"),
            leads_to={"stores": "stage.database", "containers": "stage.containers"},
        ),
        Door(
            "stage.containers",
            Containers,
            _words("inspect_services inspect_job"),
            _words("start_services stop_services start_job save_job_log"),
        ),
        Door("stage.database", Database, _DATABASE_LOOKS, _DATABASE_EFFECTS),
        Door(
            "journal",
            Journal,
            # The history of earlier runs is read through these as well.
            _words("runs records"),
            _words("open go_on begin append end free_reserve"),
        ),
    )
}

#: What the ports hand out and take, without a way to the outside of its own; recovery says lines and runs none.
VALUES: frozenset[type] = frozenset({Clients, ProxyDoor, Proof, History, Recovery, ReleaseFinder, ServiceShell})

#: Methods of the journal that go through those above, or touch nothing that lasts.
JOURNAL_DERIVED = _words("open_existing close count find_run find_unfinished facts ledger short_of_room")
