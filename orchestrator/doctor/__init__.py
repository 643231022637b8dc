"""`orchestrator doctor`: try every precondition of an upgrade on the real system, each failure with its remedy.

Everything it makes (a rendering, an empty database, a scratch server) is removed at the end.
"""
