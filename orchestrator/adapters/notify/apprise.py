"""Send notifications through Apprise, which speaks to a hundred services; an address there holds its secret.

No address and no part of one appears in the report of a failure.
"""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orchestrator.adapters.host.blocking import run_aside
from orchestrator.core.files import read_beginning
from orchestrator.core.model.notices import Notice

_NOT_INSTALLED = (
    "Apprise is not installed: `pip install 'upgrade-orchestrator[notify]'`, or take `notify` out of the plan."
)
_MAX_BYTES = 64 * 1024
_SCHEME_AT_MOST = 20
_NOT_OURS = 0o077


@dataclass(frozen=True)
class AppriseNotifier:
    """Notifies the addresses in an environment variable, in a file, or in both; each on its own, all at once."""

    variable: str | None
    file: Path | None
    environment: Mapping[str, str]

    def read_urls(self) -> tuple[str, ...]:
        """Return all addresses, those of the variable first. Raises `OSError` where the file cannot be read."""
        found = self.environment.get(self.variable, "").split() if self.variable else []
        if self.file is not None:
            lines = read_beginning(self.file, _MAX_BYTES).decode("utf-8", "replace").splitlines()
            found += [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        return tuple(found)

    def send(self, notice: Notice, *, timeout_s: float) -> tuple[str, ...]:
        """See `Notifier.send`; the time counts from when Apprise is loaded, which takes a second of computing."""
        try:
            urls = self.read_urls()
        except OSError as error:
            return (f"Nobody was notified: {self.file} cannot be read: {error.strerror}.",)
        if not urls:
            return (f"Nobody was notified: there is no address in {self.variable or self.file}.",)
        try:
            import apprise  # noqa: PLC0415 - an extra, and slow to import: only who is to tell somebody pays for it
        except ImportError:
            return (f"Nobody was notified. {_NOT_INSTALLED}",)
        logger = logging.getLogger(apprise.__name__)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False  # it would print what it is told, on stderr and past our mask
        senders = [(_name(place, url), _build_sender(url, notice)) for place, url in enumerate(urls, 1)]
        ends_at = time.monotonic() + timeout_s
        sending = [(name, run_aside(sender)) for name, sender in senders]
        problems = [_await(name, future, ends_at, timeout_s) for name, future in sending]
        return (*filter(None, problems), *self._find_careless())

    def _find_careless(self) -> tuple[str, ...]:
        if self.file is None or not self.file.stat().st_mode & _NOT_OURS:
            return ()
        return (f"{self.file} can be read by others, and holds secrets: `chmod 600 {self.file}`.",)


def _build_sender(url: str, notice: Notice) -> Callable[[], str]:
    """Build the function that notifies one address, and returns the reason of a failure."""
    import apprise  # noqa: PLC0415 - as above

    asset = apprise.AppriseAsset(app_id="upgrade-orchestrator", async_mode=False, secure_logging=True)
    one = apprise.Apprise(asset=asset)
    if not one.add(url):
        return lambda: "is not one that Apprise knows"
    notify = partial(
        one.notify,
        title=notice.title,
        body=notice.body,
        notify_type=apprise.NotifyType(notice.level.value),
        body_format=apprise.NotifyFormat.TEXT,
    )
    return lambda: "" if notify() else "could not be told"


def _await(name: str, future: Future[str], ends_at: float, timeout_s: float) -> str:
    try:
        problem = future.exception(timeout=max(0.0, ends_at - time.monotonic()))
    except TimeoutError:
        return f"{name} did not answer within {timeout_s:g} s."
    # A plugin of Apprise that breaks is no reason to end differently; its words may hold the address.
    words = future.result() if problem is None else f"could not be told ({type(problem).__name__})"
    return f"{name} {words}." if words else ""


def _name(place: int, url: str) -> str:
    scheme, separator, _ = url.partition("://")
    known = separator and scheme.isalnum() and len(scheme) <= _SCHEME_AT_MOST
    return f"Notification address {place}{f' ({scheme})' if known else ''}"
