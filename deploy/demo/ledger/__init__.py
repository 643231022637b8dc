"""The ledger: a small application that proves by a hash chain that nothing it acknowledged was lost."""
