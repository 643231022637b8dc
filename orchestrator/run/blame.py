"""Whose a failure is, when the world is asked and not its code alone.

A migration or a health check fails, too, when the disk is full or the server it works with was restarted: what is
seen to be wrong around the release is not held against it.
"""

from dataclasses import dataclass

from orchestrator.core.errors import StateError
from orchestrator.core.facts import Facts
from orchestrator.core.model.stores import StoreFacts
from orchestrator.core.owners import Owner, find_owner
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.state_kind import Ports
from orchestrator.core.store_facts import Fence, Snapshot

#: Failures of the new version at work, which has more around it than itself.
_AT_WORK = frozenset(
    {
        *("health.failed", "health.killed", "health.not_steady", "health.timeout", "health.unhealthy"),
        "gate.no_address",
        *("migrate.failed", "migrate.killed", "migrate.left_at_work", "migrate.timeout"),
        *("rehearse.migration_failed", "service.killed", "service.not_running"),
    }
)
# The old version was started by the same lines: what the new one lacks of them is its own.
_BY_KIND = {
    ("start", "compose.program_missing"): Owner.RELEASE,
    ("health", "gate.no_address"): Owner.RELEASE,
}
_FULL_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class Blame:
    """Whose a failure is; ``evidence`` is the sentence that says why it is not the release's after all."""

    owner: Owner | None
    evidence: str = ""

    def told(self, reason: str) -> str:
        """A reason with the evidence on the line of its sentences."""
        if not self.evidence:
            return reason
        sentences, line, words = reason.partition("\n")
        return f"{sentences.rstrip()} {self.evidence}{line}{words}"

    def to_json(self, code: str) -> dict[str, str]:
        """What the record of a failure has beside its reason; nothing where there is no owner."""
        return {"code": code, "owner": self.owner.value} if self.owner else {}


def find_blame(kind: str, code: str, facts: Facts, ports: Ports) -> Blame:
    """Whose the failure of a state of this kind is, as its code says and as what is around it looks."""
    owner = _BY_KIND.get((kind, code), find_owner(code))
    if owner not in (Owner.RELEASE, Owner.HOST) or code not in _AT_WORK:
        return Blame(owner)
    return _ask_engine(ports) or _ask_stores(facts, ports) or Blame(owner)


def _ask_engine(ports: Ports) -> Blame | None:
    try:
        engine = ports.workloads.inspect_engine()
    except StateError as error:
        return Blame(Owner.ENGINE, f"At that time the engine could not be asked: {error.summary}")
    if _is_full(engine.free_bytes):
        return Blame(Owner.HOST, "The disk on which the engine keeps its data is full.")
    return None


def _ask_stores(facts: Facts, ports: Ports) -> Blame | None:
    return next((found for store in ports.stores if (found := _ask_store(facts, store))), None)


def _ask_store(facts: Facts, store: DataStore) -> Blame | None:
    try:
        found = store.inspect()
    except StateError as error:
        return Blame(Owner.HOST, f"At that time the database could not be asked: {error.summary}")
    if _is_full(found.free_bytes):
        return Blame(Owner.HOST, "The disk of the database server is full.")
    if _was_restarted(facts, store, found):
        return Blame(Owner.HOST, "The database server was restarted while the new version was at work.")
    return None


def _is_full(free_bytes: int | None) -> bool:
    return free_bytes is not None and free_bytes < _FULL_BYTES


def _was_restarted(facts: Facts, store: DataStore, found: StoreFacts) -> bool:
    snapshot, fence = facts.find(Snapshot, store.name), facts.find(Fence, store.name)
    before = snapshot.mark if snapshot else fence.mark if fence else None
    return before is not None and store.was_restarted(found, before)
