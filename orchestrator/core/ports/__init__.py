"""The outside world as states and runs see it, one role a module; adapters implement these, fakes pass the same tests.

Every method that can wait takes a `Deadline` and raises its errors. "Could not look" is never an empty answer.
"""
