"""A terminal that is closed, or a pipe that nobody reads any more, ends no run: only what it says is lost."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer


class _Lasting(io.FileIO):
    """A stream of the process that swallows what cannot be written any more."""

    def write(self, data: Buffer) -> int:
        """Write, or lose it: how a run ended is in the journal."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def outlive_terminal() -> None:
    """Let stdout and stderr of this process never fail; streams that somebody has put in their place stay."""
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        sys.stdout = _build(sys.stdout)
    if sys.stderr is sys.__stderr__ and sys.stderr is not None:
        sys.stderr = _build(sys.stderr)


def _build(stream: TextIO) -> TextIO:
    lasting = io.BufferedWriter(_Lasting(os.dup(stream.fileno()), "w"))
    return io.TextIOWrapper(lasting, stream.encoding, stream.errors, line_buffering=bool(stream.line_buffering))
