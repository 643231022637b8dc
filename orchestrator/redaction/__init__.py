"""Secrets taken out of what is kept or told, and control characters out of text from outside."""
