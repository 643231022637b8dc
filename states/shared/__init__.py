"""What several kinds of states use; no kind imports another."""
