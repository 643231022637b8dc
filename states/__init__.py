"""The kinds of states a plan is made of: one module each, listed in `states.registry`."""
