"""Tells users of newer releases, by the blueprint that any app can mount."""

from collections.abc import Mapping
from pathlib import Path

from flask import Flask

from orchestrator.core.ports.releases import ReleaseFeed
from webapi import WEB_LIMITS, FileFeed, GitHubFeed, version_blueprint

GITHUB_API = "https://api.github.com"


def choose_feed(environment: Mapping[str, str]) -> ReleaseFeed:
    """Choose the file RELEASES_FILE, or the repository RELEASES_REPOSITORY at RELEASES_API (left out: GitHub's
    public one).
    """
    if file := environment.get("RELEASES_FILE"):
        return FileFeed(Path(file))
    api = environment.get("RELEASES_API") or GITHUB_API
    return GitHubFeed(environment["RELEASES_REPOSITORY"], api, limits=WEB_LIMITS)


def tell(app: Flask, feed: ReleaseFeed, reported: str) -> None:
    """Answer `/api/version` with what is announced there; `reported` is what runs."""
    app.register_blueprint(version_blueprint(feed, current=reported, health=False))
