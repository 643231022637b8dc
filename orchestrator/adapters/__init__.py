"""The only hands that touch the world: one door to each thing outside."""
