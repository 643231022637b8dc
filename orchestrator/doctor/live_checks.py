"""Check app, engine, registry and database, in the order in which an upgrade needs them."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.checker.findings import Finding as PlanFinding
from orchestrator.core.deadline import Deadline, Interruption
from orchestrator.core.errors import HealthError, RefusedError
from orchestrator.core.facts import Current, Fact, Facts, FrozenProject, Known, TargetRelease
from orchestrator.core.foresight import Obstacle
from orchestrator.core.ledger import DATABASE
from orchestrator.core.model.releases import Release
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.core.state_kind import Kinds, Options, Ports, StateContext
from orchestrator.doctor import host_checks
from orchestrator.doctor.check_runner import Check, DoctorWarning
from orchestrator.journal.history import JournalHistory
from orchestrator.plan.schema import Plan, StateSpec
from orchestrator.run.listener import Listener
from orchestrator.run.runner import ContextBuilder
from states.shared import preflight_checks
from states.shared.checks import app, room
from states.shared.checks.surroundings import StoreSurroundings, Surroundings

_TRIAL_S = 300.0
_ANSWER_S = 5.0
_STORE_CHECKS = {
    "database volume": "its own, and named",
    "database state": "can be copied and swapped",
    "database load": "nothing in the way",
    "sessions": "nobody but the app",
    "other databases": "the app uses this one",
    "room for backups": "enough",
    "room for the copy": "enough",
}


@dataclass
class LiveChecks:
    """Tries what needs the outside; results of a check are kept for the later ones. ``folder`` is its own."""

    plan: Plan
    kinds: Kinds
    ports: Ports
    plan_findings: Sequence[PlanFinding]
    folder: Path
    interruption: Interruption

    def __post_init__(self) -> None:
        self._id = f"doctor-{secrets.token_hex(4)}"
        self._deadline = Deadline(self.ports.clock, _TRIAL_S, what="The trial", interruption=self.interruption)
        listener, request = Listener(), ReleaseRequest()
        builder = ContextBuilder(
            self.plan,
            self.kinds,
            self.ports,
            JournalHistory(None),
            listener,
            self._id,
            self.folder,
            request,
            assume_yes=True,
        )
        spec = StateSpec("doctor", "preflight", {}, None, _TRIAL_S, None, Options())
        self._around = Surroundings(builder(spec, Known.of(), self._deadline))
        self._newest: Release | None = None

    def checks(self) -> list[Check]:
        """Return all checks that apply to the plan."""
        plan, stores = self.plan, [store.name for store in self.ports.stores]
        return [
            Check("plan", lambda: host_checks.check_plan_findings(plan, self.plan_findings)),
            Check("journal", lambda: host_checks.check_journal(plan)),
            Check("lock", lambda: host_checks.check_lock(plan)),
            Check("unfinished run", lambda: host_checks.check_unfinished(plan), ("journal",)),
            Check("engine", self._try_engine),
            Check("project", self._freeze),
            Check("secrets", lambda: host_checks.check_secrets(self.ports.mask), ("project",)),
            Check("version variable", self._look("pin", "can be set"), ("project",)),
            Check(
                "names", self._look("names", "every service and command of the plan is there"), ("engine", "project")
            ),
            Check("services", self._find_running, ("engine", "project")),
            Check("version", self._look("version", "runs as set"), ("services",)),
            Check("containers", self._look("drift", "as they would be made now"), ("services",)),
            Check("health", self._ask, ("services",)),
            Check("releases", self._find_release, ("services",)),
            Check("registry", self._resolve, ("services",)),
            Check("image", self._look("image", "fits this machine"), ("engine", "registry")),
            *([Check("gate", self._look("gate", "can be closed"), ("services", "health"))] if self._ctx.gated else []),
            Check("backup folder", self._try_backup_folder),
            Check("room for images", self._look("room for images", "enough"), ("engine",)),
            *(check for store in self.ports.stores for check in self._store_checks(store)),
            *([Check("rehearsal", self._open_stage, ("project", *stores))] if stores and self._rehearses() else []),
            Check("clock", self._check_clock, ("journal",)),
        ]

    def _store_checks(self, store: DataStore) -> Iterable[Check]:
        around, name, ref = StoreSurroundings(self._ctx, store), store.name, self._id.replace("-", "_")
        yield Check(name, lambda: store.describe(around.facts), ("engine",))
        yield Check(f"{name} rights", lambda: store.try_rights(ref, deadline=self._deadline), (name,))
        checks = preflight_checks.choose_store_checks(store)
        for what, well in _STORE_CHECKS.items():
            if what in checks:
                needs = (name, "backup folder") if what == "room for backups" else (name,)
                shown = what if name == DATABASE else f"{name}: {what}"
                yield Check(shown, partial(_look, partial(checks[what], around), well), needs)

    @property
    def _ctx(self) -> StateContext[Any]:
        return self._around.ctx

    def _learn(self, *facts: Fact) -> None:
        known = self._ctx.facts.joined(Facts.of(facts))
        self._around = Surroundings(replace(self._ctx, facts=known))

    def _look(self, name: str, well: str) -> Callable[[], str]:
        return lambda: _look(partial(preflight_checks.CHECKS[name], self._around), well)

    def _rehearses(self) -> bool:
        return any(self.kinds[spec.kind].rehearses for spec in self.plan.states.values())

    def _try_engine(self) -> str:
        return self._around.engine.summary

    def _freeze(self) -> str:
        self._learn(self.ports.workloads.freeze(self.folder))
        return f"{self.plan.target.project}, the version in {self.plan.target.version_variable}"

    def _find_running(self) -> str:
        current = self.ports.finder.running()
        self._learn(current)
        return f"{', '.join(self.plan.target.services)}: {current.version}"

    def _ask(self) -> str:
        app.check_services(self._around)
        url = self.plan.target.health.url
        if url is None:
            return "containers are well; no address to ask is named"
        answer = self.ports.probe.get(url, timeout_s=_ANSWER_S)
        if answer.status not in range(200, 300):
            said = answer.error if answer.status is None else f"with status {answer.status}"
            raise HealthError("doctor.no_answer", f"{url} answers {said}.", hint="Correct `target: health: url:`.")
        return f"{url} answers"

    def _find_release(self) -> str:
        choice = self.ports.finder.find(ReleaseRequest())
        self._newest = choice.newest
        if choice.target is None:
            return f"{choice.current.version} is the newest"
        self._learn(choice.target)
        return f"{choice.target.release.version} is available"

    def _resolve(self) -> str:
        target, current = self._ctx.find(TargetRelease), self._ctx.require(Current)
        tag = target.tag if target else current.version
        image = self.ports.images.resolve(self.plan.target.image, tag)
        return f"{self.plan.target.image}:{tag} is {image.digest[:19]}…"

    def _try_backup_folder(self) -> str:
        room.check_backup_folder(self._around)
        host_checks.check_privacy(self.plan.backups.directory)
        return f"{self.plan.backups.directory} can be written"

    def _open_stage(self) -> str:
        trials, project = self._ctx.trials(), self._ctx.require(FrozenProject)
        writable = tuple(
            folder for spec in self.plan.states.values() for folder in getattr(spec.options, "writable", ())
        )
        try:
            trials.open(
                project,
                self.plan.target.services,
                run_id=self._id,
                directory=self.folder,
                writable=writable,
                deadline=self._deadline,
            )
        finally:
            trials.remove_all(self._id)
        return "a scratch server of the database's image starts"

    def _check_clock(self) -> str:
        published_at = self._newest.published_at if self._newest else None
        return host_checks.check_clock(self.plan, self.ports.clock.now(), published_at)


def _look(check: Callable[[], Sequence[Obstacle] | None], well: str) -> str:
    found = check() or ()
    blocking = [one for one in found if one.blocks]
    if blocking:
        raise RefusedError(
            blocking[0].code,
            " ".join(one.what for one in blocking),
            hint=" ".join(dict.fromkeys(one.hint for one in blocking)),
        )
    if found:
        raise DoctorWarning(found[0].code, " ".join(one.what for one in found), hint=found[0].hint)
    return well
