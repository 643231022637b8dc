"""The comparison of the containers that run with those that Compose would make now."""
