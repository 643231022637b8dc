"""How a state tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.core.model.progress import Progress

Report = Callable[[Progress], None]
