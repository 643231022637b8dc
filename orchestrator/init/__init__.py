"""`orchestrator init`: from a compose file to a plan that lints clean. Surveys, settles what is open, proposes, writes.

Pure but for `writing`; a rendering of the project and the texts of its files go in, a proposal comes out.
"""
