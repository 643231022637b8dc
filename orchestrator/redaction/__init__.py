"""Remove secrets from everything kept or reported, and control characters from text from outside."""
