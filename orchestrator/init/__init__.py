"""`orchestrator init`: turn a compose file into a plan that lints clean. Survey, settle questions, propose, write.

Pure but for `writing`: a rendering of the project and the texts of its files go in, a proposal comes out.
"""
