"""A plan as a table of transitions, and the next move of a run that was cut off."""
