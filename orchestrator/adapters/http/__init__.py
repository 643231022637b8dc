"""HTTP, bounded in time, size and depth."""
