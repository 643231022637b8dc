"""Show the progress of the benchmark."""


def say(text: str) -> None:
    """Print one line at once."""
    print(f"bench: {text}", flush=True)
