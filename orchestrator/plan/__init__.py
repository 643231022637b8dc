"""The plan: turn YAML text into a checked, frozen value, or into a list of all its problems."""
