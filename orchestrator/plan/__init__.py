"""The plan: YAML text becomes a checked, frozen value, or a list of all that is wrong with it."""
