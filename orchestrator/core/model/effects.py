"""What a state may change."""

from __future__ import annotations

from enum import StrEnum


class EffectScope(StrEnum):
    """What a state may change."""

    NOTHING = "nothing"
    FILES = "files"
    IMAGES = "images"
    APP = "app"
    DATABASE = "database"
