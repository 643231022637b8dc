"""Tells users of newer releases, by the blueprint that any app can mount."""

from pathlib import Path

from flask import Flask

from webapi import FileFeed, version_blueprint


def tell(app: Flask, announced: Path, reported: str) -> None:
    """Answer `/api/version` from the file in which the host announces releases; `reported` is what runs."""
    app.register_blueprint(version_blueprint(FileFeed(announced), current=reported, health=False))
