"""Explore a plan against a small model of the world and show the path to each fault."""
