"""Which release is next. Pure but for what its ports are asked."""
