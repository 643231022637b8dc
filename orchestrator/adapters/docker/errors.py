"""What the engine answers when it does not do what it was asked for, made into errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

import requests
import urllib3
from docker.errors import APIError, DockerException, StreamParseError

from orchestrator.adapters.docker.answers import UnreadableError
from orchestrator.adapters.docker.image_pull import explain_pull_failure
from orchestrator.core.errors import PlatformError


@contextmanager
def translated(deed: str, explain: Callable[[APIError], PlatformError] | None = None) -> Iterator[None]:
    """What the engine refuses to do, or does not answer, as an error of ours; ``explain`` knows its own refusals."""
    try:
        yield
    except APIError as error:
        if explain is not None:
            raise explain(error) from error
        raise PlatformError("engine.refused", f"The engine could not {deed}: {_say(error)}") from error
    except (UnreadableError, UnicodeError) as error:
        raise PlatformError(
            "engine.refused",
            f"The engine's answer cannot be read (asked to {deed}): {error}.",
            impact="What runs on it is not known.",
            hint="Look whether `docker version` shows a release that is supported, and whether a proxy answers for it.",
        ) from error
    except (
        DockerException,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        StreamParseError,
    ) as error:
        raise PlatformError(
            "engine.unreachable",
            f"The engine does not answer (asked to {deed}): {error}",
            impact="What runs on it is not known.",
            hint="Look whether it runs (`docker info`) and whether this user may use it.",
        ) from error


def _say(error: APIError) -> str:
    return str(error.explanation or error)


def explain_pull(reference: str) -> Callable[[APIError], PlatformError]:
    """Why an image was not downloaded."""
    return lambda error: explain_pull_failure(reference, _say(error), error.status_code)


def explain_lookup(reference: str) -> Callable[[APIError], PlatformError]:
    """Why an image was not found in its registry."""

    def explain(error: APIError) -> PlatformError:
        if error.status_code == HTTPStatus.NOT_FOUND:
            return PlatformError(
                "image.not_found",
                f"The registry has no image {reference}.",
                hint="Look whether the release's image was published, and under which name.",
            )
        if error.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return PlatformError(
                "image.denied",
                f"The registry does not let us see {reference}: {_say(error)}",
                hint="Log in on this host with `docker login`, as the user who runs the upgrade.",
            )
        return PlatformError(
            "image.unreachable",
            f"The registry could not be asked for {reference}: {_say(error)}",
            hint="Look whether the engine's host reaches the registry.",
        )

    return explain
