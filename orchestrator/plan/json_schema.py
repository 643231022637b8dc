"""Build the JSON Schema by which an editor completes and checks a plan."""

import json

from pydantic import BaseModel

from orchestrator.core.state_kind import EXHAUSTED, FAILED, TIMEOUT, Kind, Kinds
from orchestrator.plan.forms import EndForm, PlanForm, StateForm
from orchestrator.plan.schema import COMMON_OUTCOMES

Schema = dict[str, object]

_NAME = r"^[a-z][a-z0-9_]*$"


def render_json_schema(kinds: Kinds) -> str:
    """Render the schema as the text of ``plans/plan.schema.json``."""
    return json.dumps(build_json_schema(kinds), indent=2, ensure_ascii=False) + "\n"


def build_json_schema(kinds: Kinds) -> Schema:
    """Build the schema of a whole plan, each kind with its own outcomes and options."""
    definitions: Schema = {}
    plan = _model_schema(PlanForm, "", definitions)
    end = _model_schema(EndForm, "", definitions)
    states = [_kind_schema(kind, definitions) for kind in kinds.values()]
    machine: Schema = {
        "description": PlanForm.model_fields["states"].description,
        "type": "object",
        "propertyNames": {"pattern": _NAME},
        "additionalProperties": {"oneOf": [*states, end]},
    }
    properties = plan["properties"]
    if isinstance(properties, dict):
        properties["states"] = machine
        properties["initial"] = {"description": PlanForm.model_fields["initial"].description, "type": "string"}
    plan["dependentRequired"] = {"initial": ["states"], "states": ["initial"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **plan, "$defs": definitions}


def _kind_schema(kind: Kind, definitions: Schema) -> Schema:
    common = _model_schema(StateForm, "", definitions)["properties"]
    own = dict(common) if isinstance(common, dict) else {}
    own |= {"kind": _name_schema(kind), "then": _then_schema(kind)}
    options = _model_schema(kind.Options, f"{kind.kind}_", definitions)
    own["with"] = options
    required = ["kind", "then", *(["with"] if "required" in options else [])]
    return {
        "title": kind.kind,
        "description": kind.summary,
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": own,
        "dependentSchemas": {"attempts": {"properties": {"then": {"required": [EXHAUSTED]}}}},
    }


def _name_schema(kind: Kind) -> Schema:
    if not kind.former_names:
        return {"const": kind.kind, "description": kind.summary}
    former = [{"const": name, "deprecated": True} for name in kind.former_names]
    return {"description": kind.summary, "oneOf": [{"const": kind.kind}, *former]}


def _then_schema(kind: Kind) -> Schema:
    outcomes = {**kind.outcomes, **{word: text for word, text in COMMON_OUTCOMES.items() if word not in kind.outcomes}}
    return {
        "description": StateForm.model_fields["then"].description,
        "type": "object",
        "additionalProperties": False,
        "required": [*kind.outcomes, *([] if FAILED in kind.outcomes else [TIMEOUT])],
        "properties": {
            word: {"type": "string", "pattern": _NAME, "description": text} for word, text in outcomes.items()
        },
    }


def _model_schema(model: type[BaseModel], prefix: str, definitions: Schema) -> Schema:
    """Build the schema of one model; definitions it refers to are added to ``definitions`` with ``prefix``."""
    schema: Schema = model.model_json_schema(by_alias=True, ref_template=f"#/$defs/{prefix}{{model}}")
    inner = schema.pop("$defs", {})
    if isinstance(inner, dict):
        definitions.update({f"{prefix}{name}": value for name, value in inner.items()})
    return schema
