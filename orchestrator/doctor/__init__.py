"""`orchestrator doctor`: every precondition of an upgrade, tried on the real thing, each with what mends it.

What it makes (a rendering, an empty database, a scratch server) is its own, and gone when it is over.
"""
