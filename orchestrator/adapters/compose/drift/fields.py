"""Values of a rendering as the types that they are meant to be; what is of another type is not there. Pure."""

from collections.abc import Mapping

from orchestrator.adapters.compose.drift.values import read_duration_ns
from orchestrator.adapters.compose.rendering import Json, JsonObject


def as_microseconds(value: Json) -> int:
    """A duration or a number of microseconds."""
    text = as_text(value)
    return int(text) if text.lstrip("-").isdigit() else read_duration_ns(text) // 1000


def as_number(value: Json) -> int:
    """A whole number; 0 where it is none."""
    text = as_text(value)
    return int(text) if text.lstrip("-").isdigit() else 0


def as_text(value: Json) -> str:
    """As text; empty where it is not said."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def as_texts(value: Json) -> list[str]:
    """A list of texts, also where there is only one."""
    if isinstance(value, list):
        return [as_text(one) for one in value if not isinstance(one, (dict, list))]
    return [value] if isinstance(value, str) else []


def as_objects(value: Json) -> list[JsonObject]:
    """A list of objects."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def undouble(value: Json) -> Json:
    """Each text with its dollar signs as they were before Compose has doubled them."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, list):
        return [undouble(one) for one in value]
    if isinstance(value, Mapping):
        return {name: undouble(one) for name, one in value.items()}
    return value
