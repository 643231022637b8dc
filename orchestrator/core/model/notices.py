"""Notifications for a person who is not at the terminal."""

from enum import StrEnum

from orchestrator.core.model.base import FrozenModel


class NoticeLevel(StrEnum):
    """Urgency of a notification."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


class Notice(FrozenModel):
    """A notification for a person who is not at the terminal."""

    title: str
    body: str
    level: NoticeLevel
