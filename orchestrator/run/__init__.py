"""Runs: the loop that walks a plan, the use cases around it, and the recovery of a run that was cut off."""
