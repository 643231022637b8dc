"""The durable record of runs: its file, its hash chain, its lock, and what it says of earlier runs."""
