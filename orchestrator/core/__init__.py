"""Errors, deadlines, facts, values, ports and the contract of a kind: what all of the program is written in."""
