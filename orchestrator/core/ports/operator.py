"""The person at the terminal."""

from typing import Protocol

from orchestrator.core.model.progress import Question


class Operator(Protocol):
    """The person at the terminal, if there is one."""

    def confirm(self, question: Question) -> bool | None:
        """True or False as answered; None where nobody can be asked."""
