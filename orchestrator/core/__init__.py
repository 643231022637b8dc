"""The words of the whole program: errors, deadlines, facts, values, ports and the contract of a kind."""
