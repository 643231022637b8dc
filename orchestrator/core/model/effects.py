"""The scope of a state's changes."""

from enum import StrEnum


class EffectScope(StrEnum):
    """The most that a state may change."""

    NOTHING = "nothing"
    FILES = "files"
    IMAGES = "images"
    APP = "app"
    DATABASE = "database"
