"""Frozen values that survive a round trip through the journal.

Times are aware and in UTC, sizes are bytes, durations are seconds.
"""
