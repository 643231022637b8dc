"""Define the typed shape of a plan. These models are the single truth: they validate, and the editor's JSON Schema
and the reference are made from their field docs.

A checked plan is frozen; its paths are absolute, its durations seconds.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from orchestrator.core.model.verdict import Verdict
from orchestrator.core.state_kind import EXHAUSTED, INTERRUPTED, TIMEOUT
from orchestrator.plan.durations import Duration
from orchestrator.plan.words import check_database_name, check_migration, check_version_variable

#: Outcomes besides a kind's own that ``then`` may name.
COMMON_OUTCOMES: Mapping[str, str] = {
    TIMEOUT: "its deadline is over; left out, it goes where `failed` goes",
    INTERRUPTED: "the run was cut off in this state; left out, the kind's crash rule decides",
    EXHAUSTED: "it would be entered once more than `attempts` allows",
}


def check_image(text: str) -> str:
    """Check an image name without tag and digest. Raises `ValueError`."""
    if "@" in text or ":" in text.rsplit("/", 1)[-1]:
        raise ValueError(f"{text!r} carries a tag or digest; leave it out, the release says which one")
    if not _IMAGE.fullmatch(text):
        raise ValueError(f"{text!r} is no image name; write it as in `docker pull`, without the tag")
    return text


def check_url(text: str) -> str:
    """Check an http or https address. Raises `ValueError`."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"{text!r} is no address; it begins with `http://` or `https://`")
    return text


def _image(text: str) -> str:
    return text if "${" in text else check_image(text)


def _url(text: str) -> str:
    return text if "${" in text else check_url(text)


def _absolute(path: Path, info: ValidationInfo) -> Path:
    if "${" in str(path):
        raise ValueError("variables are not replaced in paths; write the path out")
    if str(path).startswith("~"):
        raise ValueError("`~` is not expanded; write the whole path")
    if "\0" in str(path):
        raise ValueError("a path cannot contain a zero byte")
    folder = info.context.get("folder") if isinstance(info.context, dict) else None
    return Path(os.path.normpath(folder / path)) if isinstance(folder, Path) else path


def _variable_name(text: str) -> str:
    # What is written here by mistake is the secret itself, so it must not be in the message.
    if not _VARIABLE_NAME.fullmatch(text):
        raise ValueError("write the NAME of an environment variable here, never the secret that is in it")
    return text


def _prom(path: Path) -> Path:
    if path.suffix != ".prom":
        raise ValueError(f"node_exporter reads no file but `*.prom`; write {str(path.with_suffix('.prom'))!r}")
    return path


_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
_VARIABLE_NAME = re.compile(_VARIABLE, re.ASCII)
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*", re.ASCII)
_ADDRESS = re.compile(r"https?://[^\s/]\S*")
Text = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Service = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$")]
Variable = Annotated[str, StringConstraints(pattern=_VARIABLE)]
VersionVariable = Annotated[Variable, AfterValidator(check_version_variable)]
DatabaseName = Annotated[Text, AfterValidator(check_database_name)]
SecretVariable = Annotated[
    str, AfterValidator(_variable_name), WithJsonSchema({"type": "string", "pattern": _VARIABLE})
]
Image = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_image)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048), AfterValidator(_url)]
Location = Annotated[Path, AfterValidator(_absolute)]
EndWord = Literal["committed", "up_to_date", "refused", "rolled_back", "needs_operator"]


class Spec(BaseModel):
    """A part of a plan: frozen, exact in its types, and without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )


class VersionSpec(Spec):
    """Where the app itself says which version it is."""

    url: Url | None = None
    """Address that answers with JSON; left out, it is the health address."""

    field: Text = "version"
    """Where the version stands in that JSON; a dot goes one level down: `app.version`."""


class HealthSpec(Spec):
    """How to tell that the app serves."""

    url: Url | None = None
    """Address to ask as a user reaches the app; left out, only its containers are judged."""

    steady_for_s: Duration = Field(default=10.0, alias="steady_for", json_schema_extra={"default": "10s"})
    """How long it must be healthy without a restart before it counts."""

    give_up: Literal["early", "deadline"] | None = None
    """`early`: an app that the engine calls unhealthy, after its own retries, for `steady_for` has failed. `deadline`:
    it may become healthy until the state's `timeout` is over. Left out, `early` where the plan has a `migrate`: an app
    that migrates as it starts may look unhealthy for as long as that takes."""

    version: VersionSpec | None = None
    """Where the app says which version it is; left out, only the image's digest is compared."""

    @property
    def version_url(self) -> str | None:
        """Address to ask for the version, None where the app is not asked."""
        return (self.version.url or self.url) if self.version else None

    @model_validator(mode="after")
    def _version_has_an_address(self) -> Self:
        if self.version is not None and self.version_url is None:
            raise ValueError("`version` needs a `url`, its own or the one of `health`")
        return self


class TargetSpec(Spec):
    """The app that is upgraded."""

    platform: Literal["compose"] = "compose"
    """Platform that runs the app: `compose`."""

    project: Location
    """Folder with the compose file and its `.env`; relative paths start at this plan's folder."""

    services: tuple[Service, ...] = Field(min_length=1)
    """Services that run the release, in the order in which they start; all others, the database too, stay up."""

    image: Image
    """Image of the app, without a tag."""

    version_variable: VersionVariable = "APP_VERSION"
    """Variable in the project's `.env` that the compose file's image line uses as its tag."""

    migrate: Annotated[tuple[Text, ...], AfterValidator(check_migration)] = ()
    """Migration as service and arguments, run in a one-off container of the new image; left out when the app \
migrates as it starts."""

    disconnect: tuple[Service, ...] = ()
    """Services that stay up and whose connections to the database may be ended for the upgrade: a pooler, an \
exporter."""

    health: HealthSpec = Field(default_factory=HealthSpec)
    """How to tell that the app serves."""


class DatabaseSpec(Spec):
    """The database that belongs to the app."""

    engine: Literal["postgres"] = "postgres"
    """Database server: `postgres`."""

    service: Service
    """Service of the compose file that runs it."""

    user: DatabaseName | None = None
    """Role to work as; left out, the service's own POSTGRES_USER."""

    name: DatabaseName | None = None
    """Name of the app's database; left out, the service's own POSTGRES_DB."""


_SOURCES: Mapping[str, tuple[str, frozenset[str]]] = {
    "github": ("repository", frozenset({"repository", "url", "token_variable"})),
    "registry": ("source", frozenset({"repository", "token_variable"})),
    "file": ("path", frozenset({"path"})),
}


class ReleasesSpec(Spec):
    """Where new versions are announced."""

    source: Literal["github", "registry", "file"]
    """`github`: releases of a repository; `registry`: tags of an image repository; `file`: a JSON file."""

    repository: Text | None = None
    """`owner/name` on GitHub, or the repository in the registry (left out, the one of `target.image`)."""

    url: Url | None = None
    """Base address of the GitHub API; left out, the public one."""

    path: Location | None = None
    """The JSON file, for `source: file`."""

    token_variable: SecretVariable | None = None
    """Name of the environment variable that holds a token (`user:password` for a registry), never the secret"""

    @model_validator(mode="after")
    def _fields_fit_the_source(self) -> Self:
        needed, allowed = _SOURCES[self.source]
        if getattr(self, needed) is None:
            raise ValueError(f"`source: {self.source}` needs `{needed}`")
        given = {name for name in ("repository", "url", "path", "token_variable") if getattr(self, name) is not None}
        if superfluous := sorted(given - allowed):
            raise ValueError(f"`source: {self.source}` does not use `{superfluous[0]}`; leave it out")
        return self


class BackupsSpec(Spec):
    """Where backups go."""

    directory: Location
    """Folder for backup files."""

    keep: int = Field(default=3, ge=1, le=1000)
    """How many proven backups stay."""


class JournalSpec(Spec):
    """Where runs are recorded."""

    directory: Location
    """Folder of the journal; left out, `.orchestrator` in the project's folder."""


class NotifySpec(Spec):
    """Notifications of the end of a run."""

    urls_variable: SecretVariable | None = None
    """Name of the environment variable with addresses for Apprise, blanks between; never an address itself."""

    urls_file: Location | None = None
    """File with one address for Apprise a line, which nobody else may read."""

    verdicts: tuple[EndWord, ...] = ("committed", "refused", "rolled_back", "needs_operator")
    """Ends to notify of; an internal error always is."""

    timeout_s: Duration = Field(default=15.0, alias="timeout", json_schema_extra={"default": "15s"})
    """How long sending may take; the end of the run does not depend on it."""

    @model_validator(mode="after")
    def _has_addresses(self) -> Self:
        if self.urls_variable is None and self.urls_file is None:
            raise ValueError("`notify` needs `urls_variable` or `urls_file`: where the addresses are")
        return self


class MetricsSpec(Spec):
    """Metrics for a monitoring system."""

    file: Annotated[Location, AfterValidator(_prom)]
    """File in the folder that node_exporter's textfile collector reads; its name ends in `.prom`."""


@dataclass(frozen=True)
class StateSpec:
    """One state. ``then`` is complete: its ``timeout`` is filled in, and a given ``interrupted`` is in it too.

    ``attempts`` is how often one run may enter the state; None where it lies on no cycle. ``former_kind``: the former
    name of its kind, where the plan uses that.
    """

    name: str
    kind: str
    then: Mapping[str, str]
    interrupted: str | None
    timeout_s: float
    attempts: int | None
    options: BaseModel
    former_kind: str = ""


@dataclass(frozen=True)
class Plan:
    """A plan without a known problem. ``text`` is the content of ``source``.

    ``maintenance_window_s``: how long the app may be down, None where the plan does not say.
    """

    name: str
    target: TargetSpec
    database: DatabaseSpec | None
    releases: ReleasesSpec
    backups: BackupsSpec
    journal_directory: Path
    initial: str
    states: Mapping[str, StateSpec]
    ends: Mapping[str, Verdict]
    source: Path
    text: str
    maintenance_window_s: float | None = None
    notify: NotifySpec | None = None
    metrics: MetricsSpec | None = None
