"""Parse durations as people write them: ``10s``, ``1h30m``, ``500ms``, ``30d``. A number without a unit is refused."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

PATTERN = r"^(?=\d)(\d+d)?(\d+h)?(\d+m(?!s))?(\d+(\.\d+)?s)?(\d+ms)?$"

_PARTS = re.compile(
    r"(?:(?P<d>\d{1,4})d)?"
    r"(?:(?P<h>\d{1,6})h)?(?:(?P<m>\d{1,6})m(?!s))?(?:(?P<s>\d{1,6}(?:\.\d{1,3})?)s)?(?:(?P<ms>\d{1,9})ms)?",
    re.ASCII,
)
_SECONDS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def parse_duration(text: str) -> float:
    """Parse a text such as ``1h30m`` to seconds; units in falling order, each once. Raises `ValueError`."""
    match = _PARTS.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"{text!r} is no duration; write `10s`, `30m`, `1h30m` or `500ms`")
    return sum(float(amount) * _SECONDS[unit] for unit, amount in match.groupdict().items() if amount)


def format_duration(seconds: float) -> str:
    """Return the shortest text that `parse_duration` reads back as these seconds (to the millisecond)."""
    left, text = round(seconds * 1000), ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        amount, left = divmod(left, size)
        text += f"{amount}{unit}" if amount else ""
    return text or "0s"


def _read(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    if info.mode == "json" and isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"{value} has no unit; write `{value}s` for seconds or `{value}m` for minutes")
    return value


#: Seconds, written in a plan as a text with units.
Duration = Annotated[
    float,
    BeforeValidator(_read),
    Field(ge=0),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["10s", "30m", "1h30m", "500ms"]}),
]
