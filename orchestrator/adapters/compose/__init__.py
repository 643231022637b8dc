"""Docker Compose: projects, their rendering, the gate and the trial copy."""
