"""How a state tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.core.model.progress import Progress
from orchestrator.core.ports.database import Database as Database  # noqa: PLC0414 - part of what is found here

Report = Callable[[Progress], None]
