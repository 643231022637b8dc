"""The folder of backup files."""
