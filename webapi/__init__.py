"""The web face: the version for the app's own page, and the progress of a run for its operator.

    from webapi import GitHubFeed, version_blueprint

    app.register_blueprint(version_blueprint(GitHubFeed("yourorg/app")))

Nothing here can start an upgrade: the engine's socket and the states are out of reach.
"""

from orchestrator.adapters.releases.file import FileFeed
from orchestrator.adapters.releases.github import GitHubFeed
from orchestrator.adapters.releases.oci_tags import RegistryFeed
from webapi.blueprint import WEB_LIMITS, version_blueprint

__all__ = ["WEB_LIMITS", "FileFeed", "GitHubFeed", "RegistryFeed", "version_blueprint"]
