"""Sources of releases: GitHub, a registry, a file."""
