"""What a pull says, made into one progress and one verdict; pure."""

from orchestrator.adapters.docker.models import PullEvent
from orchestrator.core.errors import PlatformError
from orchestrator.core.model.progress import Progress

_COMPLETE = frozenset({"Download complete", "Pull complete", "Verifying Checksum"})

# The registry's own error codes (OCI distribution, "Error Codes"): the engine passes them on in its text and
# often has status 500 for them, so the text is the only place that they can be read from.
_NOT_FOUND = ("manifest unknown", "name unknown", "not found", "repository does not exist")
_DENIED = ("unauthorized", "denied", "no basic auth credentials")
# The operating system's words, which the engine passes on.
_NO_SPACE = "no space left on device"
_RATE_LIMITED = ("toomanyrequests", "too many requests")

_HINTS = {
    "pull.not_found": "Look whether the release's image was published, and under which name.",
    "pull.denied": "Log in on this host with `docker login`, as the user who runs the upgrade.",
    "pull.rate_limited": "Wait until the registry's limit is over, or log in with `docker login`.",
    "pull.no_space": "Make room on the disk of the engine (`docker system df` shows what is there).",
    "pull.failed": "Look whether this host reaches the registry; the engine's log says more.",
}


class DownloadedBytes:
    """Sums up the layers of one pull. ``total`` grows while the engine still learns of layers."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._layers: dict[str, tuple[int, int]] = {}
        self._said: Progress | None = None

    def add(self, event: PullEvent) -> Progress | None:
        """Count an event; the new progress, or None if nothing has changed."""
        if event.status == "Downloading" and event.progress.total > 0:
            self._layers[event.id] = (event.progress.current, event.progress.total)
        elif event.status in _COMPLETE and event.id in self._layers:
            _, total = self._layers[event.id]
            self._layers[event.id] = (total, total)
        return self._say()

    def _say(self) -> Progress | None:
        done = sum(current for current, _ in self._layers.values())
        total = sum(total for _, total in self._layers.values())
        progress = Progress(label=self._label, done=done, total=total or None)
        if progress == self._said:
            return None
        self._said = progress
        return progress


def explain_pull_failure(reference: str, text: str, status: int | None = None) -> PlatformError:
    """The error for a pull that ended with ``text``; ``status`` is the engine's, None inside the stream."""
    code = _choose_code(text.lower(), status)
    return PlatformError(
        code,
        f"Pulling {reference} failed: {text.strip()}",
        impact="The new image is not on this host; nothing else has changed.",
        hint=_HINTS[code],
    )


def _choose_code(text: str, status: int | None) -> str:
    if _NO_SPACE in text:
        return "pull.no_space"
    if status == 429 or any(word in text for word in _RATE_LIMITED):  # noqa: PLR2004 - HTTP
        return "pull.rate_limited"
    if status in {401, 403} or (any(word in text for word in _DENIED) and "does not exist" not in text):
        return "pull.denied"
    if status == 404 or any(word in text for word in _NOT_FOUND):  # noqa: PLR2004 - HTTP
        return "pull.not_found"
    return "pull.failed"
