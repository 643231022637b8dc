"""When a server that has had enough wants to be asked again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


def read_retry_at(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """The moment that the server names (UTC), None if it names none that makes sense.

    ``Retry-After`` is seconds or a date; GitHub names the second in ``X-RateLimit-Reset`` once nothing remains.
    """
    wait = headers.get("Retry-After", "").strip()
    reset = headers.get("X-RateLimit-Reset", "").strip() if headers.get("X-RateLimit-Remaining") == "0" else ""
    try:
        if wait.isdecimal():
            return now + timedelta(seconds=int(wait))
        if wait:
            return _read_date(wait)
        return datetime.fromtimestamp(int(reset), UTC) if reset else None
    except (ValueError, OverflowError, OSError):
        return None


def _read_date(text: str) -> datetime:
    date = parsedate_to_datetime(text)
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
