"""What the benchmark says while it is at work."""


def say(text: str) -> None:
    """One line, at once."""
    print(f"bench: {text}", flush=True)
