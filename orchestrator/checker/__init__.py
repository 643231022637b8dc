"""Explores a plan against a small model of the world, and tells what could go wrong with the path that shows it."""
