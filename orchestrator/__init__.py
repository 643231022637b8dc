"""Upgrades a self-hosted Docker Compose and PostgreSQL application as an explicit state machine."""

#: That of pyproject.toml; to look it up in the metadata would take half of what `--version` takes.
__version__ = "0.1.0"
