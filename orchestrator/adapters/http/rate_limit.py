"""Read when a server that limits requests may be asked again."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_LONGEST = 64


def read_pause_s(headers: Mapping[str, str], otherwise: float) -> float:
    """Return the seconds that the server asks for before a retry; ``otherwise`` where it names no sensible number."""
    now = datetime.now(UTC)
    at = read_retry_at({"Retry-After": headers.get("Retry-After", "")}, now)
    return max(0.0, (at - now).total_seconds()) if at else otherwise


def read_retry_at(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return the moment that the server names (UTC), None if it names no sensible one.

    ``Retry-After`` is seconds or a date; GitHub names the second in ``X-RateLimit-Reset`` once nothing remains.
    """
    wait = headers.get("Retry-After", "").strip()
    reset = headers.get("X-RateLimit-Reset", "").strip() if headers.get("X-RateLimit-Remaining") == "0" else ""
    if max(len(wait), len(reset)) > _LONGEST:
        return None
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
