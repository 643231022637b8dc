"""Upgrades a self-hosted Docker Compose and PostgreSQL application as an explicit state machine."""
