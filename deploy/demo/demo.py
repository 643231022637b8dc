"""make demo: a real app is upgraded once, and comes unharmed through three bad releases.

    python -m deploy.demo.demo             # KEEP=1 in the environment leaves it running
    python -m deploy.demo.demo --remove    # takes down what an earlier one left

Each bad release is tried twice: with a rehearsal, which refuses it while the app serves, and with the rehearsal left
out of the plan, where it goes live and comes back. A writer and a prober stand outside as users would. Exit 0: every
verdict is as expected and nothing that the writer was told is saved was lost. Exit 1: the differences are printed.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import docker

from .bed import Bed, BedError, LedgerHost, Prober, ReleaseFeed, Writer, missing, read_entries, run_command
from .comparison import Upgrade, build_table, find_differences
from .standing import Standing

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / ".demo"
PLAN = Path("plans/demo.yaml")
UNREHEARSED = FOLDER / "unrehearsed.yaml"
ANNOUNCED = FOLDER / "announced" / "releases.json"
ORCHESTRATOR = Path(sys.executable).with_name("orchestrator")

FIRST = "1.0.0"
GOOD = "1.1.0"
BAD = ("1.2.0", "1.3.0", "1.4.0")
RELEASES = (GOOD, *BAD)

ENTRIES_BETWEEN = 50
SETTLE_TIMEOUT_S = 60
STATUS_TIMEOUT_S = 60


def main(arguments: Sequence[str]) -> int:
    """Run the demo, or with `--remove` take down what is left of one; returns the exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _alone():
            _remove_left_over()
            return 0 if "--remove" in arguments else _demonstrate(keep=os.environ.get("KEEP") == "1")
    except BedError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; everything was taken down", file=sys.stderr)
        return 128 + signal.SIGINT


def _demonstrate(*, keep: bool) -> int:
    with _standing_ledger(keep=keep) as host:
        upgrades = _upgrade_under_load(host)
        print(f"\n{build_table(upgrades)}\n")
        differences = find_differences(upgrades)
        for difference in differences:
            print(f"differs: {difference}")
        if keep:
            _say_how_to_look_around(host)
    return 1 if differences else 0


@contextmanager
def _standing_ledger(*, keep: bool) -> Iterator[LedgerHost]:
    _say("setting up: registry, five releases of the ledger, PostgreSQL")
    FOLDER.mkdir()
    with ExitStack() as ending:
        ending.callback(shutil.rmtree, FOLDER)
        bed = ending.enter_context(Bed("demo"))
        ending.callback(_ignore_signals)  # left first: a second Ctrl-C must not cut off the clean-up
        for version in (FIRST, *RELEASES):
            bed.publish(version)
        host = bed.host(FIRST, FOLDER / "ledger", announced=ANNOUNCED)
        Standing.of(bed, host).write(FOLDER)
        UNREHEARSED.write_text(leave_rehearsal_out((CHECKOUT / PLAN).read_text(encoding="utf-8")), encoding="utf-8")
        ANNOUNCED.parent.mkdir(mode=0o755)
        ReleaseFeed(ANNOUNCED).announce(FIRST, *RELEASES)
        host.install()
        _say(f"the ledger {FIRST} serves on {host.url}, and its page tells of newer releases")
        yield host
        if keep:
            bed.abandon()
            ending.pop_all()


def _upgrade_under_load(host: LedgerHost) -> list[Upgrade]:
    upgrades = []
    with Prober(host.url) as prober, Writer(host.url) as writer:
        serving = FIRST
        for release, rehearsed in (*((release, True) for release in RELEASES), *((release, False) for release in BAD)):
            writer.await_acknowledged(ENTRIES_BETWEEN, SETTLE_TIMEOUT_S)
            began = time.monotonic()
            exit_code = _run_orchestrator(release, PLAN if rehearsed else UNREHEARSED.relative_to(CHECKOUT))
            writer.await_acknowledged(ENTRIES_BETWEEN, SETTLE_TIMEOUT_S)
            ended = time.monotonic()
            verdict, quarantine = _read_report()
            unreachable_s = prober.unreachable_s(began, ended)
            upgrades.append(
                Upgrade(serving, release, rehearsed, verdict, exit_code, unreachable_s, ended, quarantine=quarantine)
            )
            serving = release if exit_code == 0 else serving
    _count_entries(host, upgrades, writer)
    return upgrades


# At the very end, so that an entry which a later upgrade lost is found as well.
def _count_entries(host: LedgerHost, upgrades: Sequence[Upgrade], writer: Writer) -> None:
    live = read_entries(host.url)
    aside = [host.read_aside(name) for upgrade in upgrades for name in upgrade.quarantine]
    began = 0.0
    for upgrade in upgrades:
        until = float("inf") if upgrade is upgrades[-1] else upgrade.ended
        entries = [entry for entry in writer.acknowledged if began < entry.at <= until]
        not_live = missing(entries, live)
        lost = not_live
        for found in aside:
            lost = missing(lost, found)
        upgrade.acknowledged, upgrade.lost = len(entries), len(lost)
        upgrade.in_quarantine = len(not_live) - len(lost)
        began = until


def leave_rehearsal_out(plan: str) -> str:
    """Return the text of a plan whose states skip `rehearse`."""
    kept = [line for line in plan.splitlines() if not line.lstrip().startswith("rehearse:")]
    return "\n".join(kept).replace("done: rehearse", "done: stop") + "\n"


def _run_orchestrator(release: str, plan: Path) -> int:
    argv = [str(ORCHESTRATOR), "run", str(plan), "--force", "--version", f"v{release}"]
    _say(f"orchestrator {' '.join(argv[1:])}")
    # A session of its own: Ctrl-C reaches us first, and we let it finish its way back.
    with subprocess.Popen(
        argv,
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as running:
        try:
            _show(running)
        except KeyboardInterrupt:
            running.send_signal(signal.SIGINT)
            _show(running)
            raise
        return running.wait()


def _show(running: subprocess.Popen[str]) -> None:
    for line in running.stdout or ():
        print(f"    {line.rstrip()}", flush=True)


def _read_report() -> tuple[str, list[str]]:
    argv = [str(ORCHESTRATOR), "status", str(PLAN), "--json"]
    document = json.loads(run_command(argv, timeout_s=STATUS_TIMEOUT_S, cwd=CHECKOUT))
    return document["verdict"], document["quarantine"]


def _remove_left_over() -> None:
    standing = Standing.read(FOLDER)
    if standing is not None:
        _say("taking down what an earlier demo left")
        client = docker.from_env()
        try:
            standing.take_down(client)
        finally:
            client.close()
    if FOLDER.exists():
        shutil.rmtree(FOLDER)


def _say_how_to_look_around(host: LedgerHost) -> None:
    print(f"""
The ledger still runs, and so does its registry:

    {host.url}                      # the app's page, with the banner
    .venv/bin/orchestrator serve {PLAN}     # the runs on a page
    .venv/bin/orchestrator history {PLAN}
    .venv/bin/orchestrator status {PLAN}
    .venv/bin/orchestrator backups list {PLAN}
    .venv/bin/orchestrator run {PLAN} --dry-run
    docker compose --project-directory {host.folder} ps
    make clean                                  # takes it down
""")


@contextmanager
def _alone() -> Iterator[None]:
    with Path(__file__).open("rb") as own:
        try:
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BedError("another demo is at work in this checkout; wait until it is over") from error
        yield


def _ignore_signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"==> {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
