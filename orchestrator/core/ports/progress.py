"""How a state tells how far it is."""

from collections.abc import Callable

from orchestrator.core.model.progress import Progress

Report = Callable[[Progress], None]
