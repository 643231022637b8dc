"""Where releases are announced: GitHub, a registry, a file."""
