"""The host: its clocks, its files and the caller's environment."""
