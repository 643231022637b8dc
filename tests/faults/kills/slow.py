"""`orchestrator run` on an in-memory world with a call that hangs: `python -m tests.faults.kills.slow`.

Behind `hangs` in the folder it goes on as soon as `go` is there.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from orchestrator.cli.run_display import Output, open_session
from orchestrator.cli.streams import outlive_terminal
from orchestrator.core.ports.release_finder import ReleaseRequest
from tests.tools.bench import WITHOUT_REHEARSAL, Bench
from tests.tools.build import announce_up_to


def main(folder: Path, method: str, version: str) -> None:
    """Run to the end, or as far as a signal lets it."""
    outlive_terminal()
    bench = Bench(folder, WITHOUT_REHEARSAL)
    announce_up_to(bench.world, version)

    def hang() -> None:
        (folder / "hangs").touch()
        while not (folder / "go").exists():
            threading.Event().wait(0.05)

    bench.world.happen(method, hang)
    with open_session(Output(as_json=True)) as session:
        with session.watching(bench.service.interruption) as display:
            request = ReleaseRequest(version=version)
            report = bench.service.run(request, assume_yes=True, listener=display)
        sys.exit(session.print_end(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
