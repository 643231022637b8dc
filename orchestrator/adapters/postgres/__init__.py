"""PostgreSQL: dumps, copies, restores and the proof that nothing was written."""
