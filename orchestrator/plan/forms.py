"""The form of a plan as its author writes it, before it is checked as a whole, and the messages for its problems."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.plan.durations import Duration
from orchestrator.plan.schema import (
    BackupsSpec,
    DatabaseSpec,
    EndWord,
    JournalSpec,
    MetricsSpec,
    NotifySpec,
    ReleasesSpec,
    Spec,
    TargetSpec,
)
from orchestrator.plan.tree import KeyPath, Node, Problems, suggest

ModelT = TypeVar("ModelT", bound=BaseModel)


class PlanForm(Spec):
    """How a self-hosted app is upgraded: what it is, and the machine of states that does it."""

    plan: Literal[1]
    """Format of this file: 1."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    """Name of the plan, for people and for the journal."""

    target: TargetSpec
    """The app that is upgraded."""

    database: DatabaseSpec | None = None
    """The app's database; left out for an app without one."""

    releases: ReleasesSpec
    """Where new versions are announced."""

    backups: BackupsSpec
    """Where backups go."""

    journal: JournalSpec | None = None
    """Where runs are recorded."""

    maintenance_window_s: Duration | None = Field(default=None, alias="maintenance_window")
    """How long the app may be down at most; `lint` warns where the deadlines add up to more."""

    notify: NotifySpec | None = None
    """Notifications of the end of a run."""

    metrics: MetricsSpec | None = None
    """Metrics for a monitoring system."""

    initial: str | None = None
    """State that a run begins with."""

    states: dict[str, object] | None = None
    """The machine, one state a line; left out together with `initial`, it is the standard machine."""


class StateForm(Spec):
    """A state that does something."""

    kind: str
    """Its kind, which defines its effect."""

    then: dict[str, str]
    """Where each outcome leads."""

    timeout_s: Duration | None = Field(default=None, alias="timeout")
    """How long it may take, at most 24h; left out, the kind's own."""

    attempts: int | None = Field(default=None, ge=1, le=10)
    """How often one run may enter it; then `exhausted` says where it goes instead of entering once more."""

    options: dict[str, object] | None = Field(default=None, alias="with")
    """Options of this state."""


class EndForm(Spec):
    """An end: the run is over there."""

    end: EndWord
    """How the run ended."""


def read_form(model: type[ModelT], node: Node, key_path: KeyPath, problems: Problems, folder: Path) -> ModelT | None:
    """Read the node as a ``model``; return None where it does not fit, and add all problems to ``problems``."""
    try:
        # Through JSON: only there do strict models take lists for tuples and texts for paths and enums.
        return model.model_validate_json(
            json.dumps(node.to_json()), context={"folder": folder}, by_alias=True, by_name=False
        )
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            _tell(detail, model, node, key_path, problems)
    return None


def _tell(detail: ErrorDetails, model: type[BaseModel], node: Node, key_path: KeyPath, problems: Problems) -> None:
    loc = detail["loc"]
    position, value = node.find(loc)
    if detail["type"] == "missing":
        text = f"`{loc[-1]}` is missing"
        problems.add(position, (*key_path, *loc[:-1]), text)
    elif detail["type"] == "extra_forbidden":
        text = f"unknown key{suggest(str(loc[-1]), _keys(model, loc[:-1]))} (G14)"
        problems.add(position, (*key_path, *loc), text)
    else:
        problems.add(value.position, (*key_path, *loc), _explain(detail, value))


def _explain(detail: ErrorDetails, value: Node) -> str:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error":
            return str(context.get("error", detail["msg"]))
        case "literal_error":
            return _explain_literal(str(context["expected"]), value)
        case "string_type" if isinstance(value.value, bool | int | float) and value.written:
            return f'read as {_name(value.value)}; quote it: "{value.written}"'
        case "string_pattern_mismatch":
            return f"{value.value!r} does not have the form `{context['pattern']}`"
        case _ if value.value is None:
            return "there is no value; write one or leave the key out"
        case _:
            return detail["msg"].replace("Input should", "it should").replace("a valid string", "a text")


def _explain_literal(expected: str, value: Node) -> str:
    words = [word.strip("' ") for word in expected.replace(" or ", ", ").split(",")]
    if words == ["1"]:
        return f"unknown plan format {value.to_json()!r}; this program reads format 1 (G14)"
    return f"{value.to_json()!r} is not valid here{suggest(str(value.value), words)}"


def _name(value: bool | int | float) -> str:
    return f"the boolean {str(value).lower()}" if isinstance(value, bool) else f"the number {value}"


def _keys(model: type[BaseModel], loc: KeyPath) -> list[str]:
    """Return the keys that the part of the form at ``loc`` knows."""
    for step in loc:
        inner = _inner(model, step)
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _inner(model: type[BaseModel], step: str | int) -> type[BaseModel] | None:
    fields: Mapping[str, object] = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    annotation = fields.get(str(step))
    choices = (annotation, *getattr(annotation, "__args__", ()))
    return next((choice for choice in choices if isinstance(choice, type) and issubclass(choice, BaseModel)), None)
