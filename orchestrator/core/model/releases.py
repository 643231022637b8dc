"""Published versions of the app. Times are aware and in UTC."""

from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints

from orchestrator.core.model.base import FrozenModel


class Release(FrozenModel):
    """A published version of the app. ``version`` is the tag as published, with its ``v`` where it has one."""

    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$")]
    notes: str = ""
    url: str = ""
    published_at: datetime | None = None
    prerelease: bool = False
    draft: bool = False
