"""The version variable in the project's ``.env``, with errors for its operator."""

from pathlib import Path

from orchestrator.adapters.compose.env_file import find_variable, read_text, replace_variable, write_text
from orchestrator.core.atomic_write import explain_unwritable
from orchestrator.core.errors import PlatformError


class PinFile:
    """One variable of one env file.

    All methods raise `PlatformError`: ``env.missing``, ``env.variable_missing``, ``env.not_writable``.
    """

    def __init__(self, path: Path, variable: str) -> None:
        self._path = path
        self._variable = variable

    def read(self) -> str:
        """The variable's text without its quotes."""
        value = find_variable(self._read(), self._variable)
        if value is None:
            raise PlatformError(
                "env.variable_missing",
                f"{self._path} has no {self._variable}.",
                hint=f"Add a line `{self._variable}=` with the version that runs now.",
            )
        return value

    def read_file(self) -> bytes:
        """The file as it is."""
        return self._read().encode("utf-8", "surrogateescape")

    def check_writable(self) -> None:
        """Return if `write` could work. Changes nothing."""
        self.read()
        problem = explain_unwritable(self._path)
        if problem is not None:
            raise self._not_writable(problem)

    def write(self, text: str) -> None:
        """Set the variable; every other byte stays. An equal text leaves the file untouched."""
        if self.read() == text:
            return
        try:
            write_text(self._path, replace_variable(self._read(), self._variable, text))
        except OSError as error:
            raise self._not_writable(str(error.strerror)) from error

    def _read(self) -> str:
        try:
            return read_text(self._path)
        except OSError as error:
            raise PlatformError(
                "env.missing",
                f"{self._path} cannot be read: {error.strerror}.",
                hint="The version that runs is set there; create it, or correct `target.project`.",
            ) from error

    def _not_writable(self, problem: str) -> PlatformError:
        return PlatformError(
            "env.not_writable",
            f"{self._path} cannot be replaced: {problem}.",
            impact="The version stays as it is.",
            hint="Run as the user who owns the project's folder.",
        )
