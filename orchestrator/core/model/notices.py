"""Messages to a person who is not at the terminal."""

from __future__ import annotations

from enum import StrEnum

from orchestrator.core.model.base import FrozenModel


class NoticeLevel(StrEnum):
    """How urgent a notification is."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


class Notice(FrozenModel):
    """A message to somebody who is not at the terminal."""

    title: str
    body: str
    level: NoticeLevel
