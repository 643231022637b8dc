"""Owner, mode and link of each path, for each command: refused or allowed. The tables are the test."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from orchestrator.core import files, trust
from orchestrator.core.accounts import find_acl_writer, is_own_group
from orchestrator.core.errors import JournalError, TrustError, UsageError
from orchestrator.core.trust import TRUST, Trust, find_caller
from orchestrator.wiring import read_resolved_plan

PLANS = Path(__file__).parents[3] / "plans"
OTHER, CALLER = 64001, 64002  # numbers that no user of a host has

COMMANDS = {
    "run": ["run", "--force"],
    "run --dry-run": ["run", "--dry-run"],
    "check": ["check"],
    "lint": ["lint"],
    "doctor": ["doctor"],
    "rollback": ["rollback", "--force"],
    "recover": ["recover"],
    "backups list": ["backups", "list"],
}

#: What is judged, by its path in the bench. What ends in a slash is a folder in which nobody else may make a file.
SUBJECTS = {
    "the plan": "home/plans/upgrade.yaml",
    "the plan's folder": "home/plans",
    "a folder above": "home",
    "the project's folder": "home/app/",
    "its .env": "home/app/.env",
    "its compose file": "home/app/compose.yaml",
    "an included file": "home/app/more/db.yaml",
    "the folder of an included file": "home/app/more",
    "an extended file": "home/app/base.yml",
    "an env_file": "home/app/app.settings",
    "the backups": "home/backups/",
    "the journal": "home/records/",
    "the releases": "home/feed/releases.json",
    "the addresses": "home/secrets/addresses",
    "the metrics": "home/metrics/",
    "a program of the plan": "home/app/hook.sh",
}

#: Owner and mode → allowed, with the bits of a file's mode; a folder has the x bits besides.
MODES = {
    ("us", 0o600): True,
    ("us", 0o644): True,
    ("us", 0o664): False,  # of a group that is nobody's own
    ("us", 0o646): False,
    ("us", 0o666): False,
    ("root", 0o644): True,
    ("root", 0o666): False,
    ("caller", 0o644): True,
    ("caller", 0o646): False,
    ("other", 0o600): False,
    ("other", 0o644): False,
    ("other", 0o666): False,
}


@dataclass
class Seen:
    """The bench with owners that only root could give, as the file system would tell of them."""

    root: Path
    owners: dict[Path, int] = field(default_factory=dict)
    groups: dict[Path, int] = field(default_factory=dict)

    def look(self, path: Path) -> os.stat_result:
        """As `trust.look`; everything of the bench is ours unless the test says something else."""
        found = list(path.lstat())
        if path.is_relative_to(self.root):
            found[stat.ST_UID] = self.owners.get(path, os.geteuid())
            found[stat.ST_GID] = self.groups.get(path, OTHER)
        return os.stat_result(found)

    def place(self, subject: str) -> Path:
        return self.root / SUBJECTS[subject].rstrip("/")

    @property
    def plan(self) -> Path:
        return self.place("the plan")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    seen = Seen(tmp_path)
    for folder in ("plans", "app/more", "backups", "records", "feed", "secrets", "metrics"):
        (tmp_path / "home" / folder).mkdir(parents=True, mode=0o755)
    contents = {
        "its .env": "APP_VERSION=v1.0.0\n",
        "its compose file": "include: [{path: more/db.yaml}]\nservices:\n  app:\n    image: x:${APP_VERSION}\n"
        "    env_file: [app.settings]\n    extends: {file: base.yml, service: app}\n",
        "an included file": "services: {db: {image: postgres}}\n",
        "an extended file": "services: {app: {}}\n",
        "an env_file": "A=1\n",
        "the releases": json.dumps({"releases": []}),
        "the addresses": "\n",
        "a program of the plan": "#!/bin/sh\n",
        "the plan": _build_plan(tmp_path / "home"),
    }
    for subject, text in contents.items():
        seen.place(subject).write_text(text)
        seen.place(subject).chmod(0o644)
    for variable in ("SUDO_UID", "ORCHESTRATOR_TRUST_OWNER"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(trust, "look", seen.look)
    monkeypatch.setattr(TRUST, "accepted", set())

    def reach(*_: object) -> None:
        raise UsageError("usage.reached", "Everything was admitted.")

    monkeypatch.setattr("orchestrator.wiring.build_ports", reach)
    yield seen
    for path in tmp_path.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


def _build_plan(home: Path) -> str:
    text = (PLANS / "upgrade.yaml").read_text(encoding="utf-8")
    text = text.replace("/opt/remote-agent/backups", str(home / "backups"))
    text = text.replace("/opt/remote-agent", str(home / "app"))
    text = text.replace("  source: github ", f"  source: file\n  path: {home}/feed/releases.json\n  # ")
    text = text.replace("  repository: yourorg/remote-agent ", "  # ")
    text = text.replace(
        "# maintenance_window",
        f"journal: {{directory: {home}/records}}\nnotify: {{urls_file: {home}/secrets/addresses}}\n"
        f"metrics: {{file: {home}/metrics/a.prom}}\n# maintenance",
    )
    hook = "  hook: {kind: command, with: {run: [./hook.sh], on: host, changes: nothing},"
    hook += " then: {done: prefetch, failed: refused}}"
    return text.replace("accepted: prefetch", "accepted: hook").replace("  prefetch:", f"{hook}\n  prefetch:")


def call(command: str, bench: Seen, *more: str) -> Result:
    return CliRunner().invoke(main, [*COMMANDS[command], str(bench.plan), *more])


def is_admitted(done: Result) -> bool:
    """Whether the command went on to what it is for; anything but this and a refusal is a fault of the test."""
    if done.exit_code == 70:
        assert any(word in done.stderr for word in ("Another user can change", "may be somebody else's")), done.stderr
        assert "Nothing was read or touched." in done.stderr
        return False
    assert "Everything was admitted." in done.output or done.exit_code == 0, done.output + done.stderr
    return True


def chmod(path: Path, mode: int) -> None:
    path.chmod(mode | (mode >> 2 & 0o111) | 0o100 if path.is_dir() else mode)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_ordinary_home_is_admitted(bench: Seen, command: str) -> None:
    assert is_admitted(call(command, bench))


@pytest.mark.parametrize("subject", SUBJECTS)
def test_owner_and_mode_decide_for_each_file_and_folder(
    bench: Seen, monkeypatch: pytest.MonkeyPatch, subject: str
) -> None:
    _call_as_root_for(CALLER, monkeypatch)
    users = {"us": os.geteuid(), "root": 0, "caller": CALLER, "other": OTHER}
    place, found = bench.place(subject), {}
    for owner, mode in MODES:
        bench.owners[place] = users[owner]
        chmod(place, mode)
        found[owner, mode] = _admits(bench)
    assert found == MODES


@pytest.mark.parametrize(("subject", "fault"), list(product(SUBJECTS, ("owner", "mode"))))
def test_every_command_refuses_files_that_another_user_can_change(bench: Seen, subject: str, fault: str) -> None:
    if fault == "owner":
        bench.owners[bench.place(subject)] = OTHER
    else:
        chmod(bench.place(subject), 0o666)
    of_plan = subject in ("the plan", "the plan's folder", "a folder above")
    expected = {command: command == "lint" and not of_plan for command in COMMANDS}  # it reads the plan alone
    assert {command: is_admitted(call(command, bench)) for command in COMMANDS} == expected


#: Where the link and the folder that it leads to are, and whose each is → allowed.
LINKS = {
    ("us", "us"): True,
    ("root", "us"): True,
    ("other", "us"): False,
    ("us", "other"): False,
    ("us", "in a folder of another"): False,
    ("us", "in a folder that all may write"): False,
}


@pytest.mark.parametrize("subject", [one for one, path in SUBJECTS.items() if not path.endswith("/")])
def test_a_link_is_judged_with_the_place_that_it_leads_to(bench: Seen, subject: str) -> None:
    link, found = bench.place(subject), {}
    store = bench.root / "store"
    store.mkdir()
    kept = store / link.name
    link.rename(kept)
    link.symlink_to(kept)
    users = {"us": os.geteuid(), "root": 0, "other": OTHER}
    for owner, target in LINKS:
        store.chmod(0o777 if target == "in a folder that all may write" else 0o755)
        bench.owners = {link: users[owner], kept: users.get(target, os.geteuid())}
        if target == "in a folder of another":
            bench.owners[store] = OTHER
        found[owner, target] = _admits(bench)
    assert found == LINKS


def test_nothing_is_opened_before_it_was_judged(bench: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    real = files.opened

    def watch(path: Path, *, follow: bool = True) -> object:
        opened.append(path)
        return real(path, follow=follow)

    monkeypatch.setattr(files, "opened", watch)
    monkeypatch.setattr("orchestrator.adapters.compose.sources.opened", watch)
    for subject in ("the plan", "its compose file", "an included file", "an env_file"):
        opened.clear()
        bench.owners = {bench.place(subject): OTHER}
        assert not is_admitted(call("run", bench))
        assert bench.place(subject) not in opened
    assert opened  # the plan itself, so that a broken watch would be seen


@pytest.mark.parametrize("subject", ["the project's folder", "the backups", "the metrics"])
def test_a_sticky_folder_is_right_above_a_file_and_wrong_as_a_place_of_ours(bench: Seen, subject: str) -> None:
    bench.place("a folder above").chmod(0o1777)
    assert _admits(bench)
    bench.place(subject).chmod(0o1777)
    assert not _admits(bench)


def test_the_refusal_names_the_command_that_corrects_it(bench: Seen) -> None:
    plan, env = bench.plan, bench.place("its .env")
    plan.chmod(0o664)
    assert f"chmod g-w {plan}" in call("run", bench).stderr
    plan.chmod(0o646)
    assert f"chmod o-w {plan}" in call("run", bench).stderr
    plan.chmod(0o644)
    bench.owners = {env: OTHER}
    told = call("run", bench).stderr
    assert f"chown {os.geteuid()} {env}" in told
    assert f"--trust-owner {OTHER}" in told
    error = json.loads(call("run", bench, "--json").stdout)
    assert (error["error"]["code"], error["exit_code"]) == ("trust.other_owner", 70)


def test_all_faults_of_the_folders_are_reported_at_once(bench: Seen) -> None:
    for subject in ("the backups", "the metrics", "the releases"):
        chmod(bench.place(subject), 0o666)
    told = call("run", bench).stderr
    assert all(
        f"chmod o-w {bench.place(subject)}" in told for subject in ("the backups", "the metrics", "the releases")
    )


def test_a_user_who_was_trusted_once_is_trusted_where_nobody_types(
    bench: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.owners = {bench.place(subject): OTHER for subject in SUBJECTS if subject != "a folder above"}
    assert not is_admitted(call("recover", bench))
    first = call("run", bench, "--trust-owner", str(OTHER))
    assert is_admitted(first)
    record = bench.plan.parent / ".orchestrator" / "trusted-owners"
    assert str(record) in first.stderr
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    for command in COMMANDS:
        monkeypatch.setattr(TRUST, "accepted", set())
        done = call(command, bench)
        assert is_admitted(done)
        assert "note:" not in done.stderr
    record.unlink()
    monkeypatch.setattr(TRUST, "accepted", set())
    assert not is_admitted(call("recover", bench))


def test_plans_of_several_users_lie_in_one_folder(bench: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    second = bench.plan.with_name("second.yaml")
    second.write_text(bench.plan.read_text())
    bench.owners = {bench.plan: OTHER, second: CALLER}
    for plan, user in ((bench.plan, OTHER), (second, CALLER)):
        assert CliRunner().invoke(main, ["lint", str(plan), "--trust-owner", str(user)]).exit_code == 0
    for plan in (bench.plan, second):
        monkeypatch.setattr(TRUST, "accepted", set())
        assert CliRunner().invoke(main, ["lint", str(plan)]).exit_code == 0
    bench.owners = {bench.plan: CALLER}
    monkeypatch.setattr(TRUST, "accepted", set())
    assert CliRunner().invoke(main, ["lint", str(bench.plan)]).exit_code == 70


@pytest.mark.parametrize("change", ["other plan", "writable", "link", "no json", "named pipe"])
def test_a_record_of_trust_counts_only_where_we_wrote_it(
    bench: Seen, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    bench.owners = {bench.plan: OTHER}
    assert is_admitted(call("run", bench, "--trust-owner", str(OTHER)))
    monkeypatch.setattr(TRUST, "accepted", set())
    record = bench.plan.parent / ".orchestrator" / "trusted-owners"
    if change == "other plan":
        record.write_text(json.dumps({"plans": {"/opt/other.yaml": [OTHER]}}))
    elif change == "writable":
        record.chmod(0o620)
    elif change == "link":
        record.rename(bench.root / "elsewhere")
        record.symlink_to(bench.root / "elsewhere")
    elif change == "no json":
        record.write_text("[")
    else:
        record.unlink()
        os.mkfifo(record)
    assert not is_admitted(call("run", bench))


def test_trust_from_the_environment_is_not_written_down(bench: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.owners = {bench.plan: OTHER}
    monkeypatch.setenv("ORCHESTRATOR_TRUST_OWNER", str(OTHER))
    assert is_admitted(call("run", bench))
    assert not (bench.plan.parent / ".orchestrator").exists()


def test_a_user_whom_nobody_knows_is_a_usage_error(bench: Seen) -> None:
    done = call("run", bench, "--trust-owner", "nobody-of-this-name")
    assert done.exit_code == 2
    assert "there is no user" in done.stderr


@pytest.mark.parametrize(
    ("euid", "written", "caller"),
    [(0, "1000", 1000), (0, "", None), (0, "-1", None), (0, "٣", None), (0, "0x1", None), (1000, "0", None)],
)
def test_the_caller_of_sudo_counts_for_root_alone(
    monkeypatch: pytest.MonkeyPatch, euid: int, written: str, caller: int | None
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: euid)
    assert find_caller({"SUDO_UID": written}) == caller


GROUPS = {  # name, members, who has it as their first group → whether nobody but bob and root is in it
    1000: ("bob", [], [], True),
    1001: ("bob", ["eve"], [], False),
    1002: ("people", [], [], False),  # who else is in it, a directory service need not say
    0: ("root", [], [], True),
    50: ("staff", [], [], True),
    51: ("staff", ["bob"], [], True),
    52: ("staff", ["eve"], [], False),
    100: ("users", [], ["eve"], False),
}


@pytest.mark.parametrize("gid", GROUPS)
def test_private_group_is_distinguished_from_others(monkeypatch: pytest.MonkeyPatch, gid: int) -> None:
    name, members, first, is_own = GROUPS[gid]
    users = {1000: "bob", 0: "root", 64003: "eve"}
    everybody = [SimpleNamespace(pw_uid=uid, pw_gid=gid if login in first else uid) for uid, login in users.items()]
    monkeypatch.setattr("grp.getgrgid", lambda _: SimpleNamespace(gr_name=name, gr_mem=members))
    monkeypatch.setattr("pwd.getpwuid", lambda uid: SimpleNamespace(pw_name=users[uid]))
    monkeypatch.setattr("pwd.getpwall", lambda: everybody)
    assert is_own_group(gid, frozenset({0, 1000})) is is_own


def test_a_group_that_is_not_known_here_is_its_users_by_number() -> None:
    assert is_own_group(CALLER, frozenset({0, CALLER}))  # as in a container
    assert not is_own_group(OTHER, frozenset({0, CALLER}))


def test_access_list_that_lets_another_user_write_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*entries: tuple[int, int, int]) -> bytes:
        parts = [
            tag.to_bytes(2, "little") + bits.to_bytes(2, "little") + number.to_bytes(4, "little")
            for tag, bits, number in entries
        ]
        return b"\x02\0\0\0" + b"".join(parts)

    lists = {
        build((0x02, 6, OTHER), (0x10, 7, 0)): True,
        build((0x02, 6, OTHER), (0x10, 5, 0)): False,  # its mask takes the right away
        build((0x02, 4, OTHER), (0x10, 7, 0)): False,
        build((0x02, 6, os.geteuid()), (0x10, 7, 0)): False,
        build((0x08, 6, OTHER), (0x10, 7, 0)): True,
        b"\x02\0\0\0": False,
    }
    for content, is_seen in lists.items():
        monkeypatch.setattr("os.getxattr", lambda *_, content=content: content)
        assert bool(find_acl_writer(tmp_path, {os.geteuid()})) is is_seen


def test_links_that_lead_round_for_ever_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    done = CliRunner().invoke(main, ["lint", str(tmp_path / "a")])
    assert done.exit_code == 70
    assert "trust.not_readable" in CliRunner().invoke(main, ["lint", "--json", str(tmp_path / "a")]).stdout


REAL = """
import os, sys
from pathlib import Path
from orchestrator.core.trust import Trust
user, *paths = sys.argv[1:]
if int(user) != os.geteuid():
    os.setgroups([]); os.setgid(int(user)); os.setuid(int(user))
print([Trust().find_distrust(Path(path)) is None for path in paths])
"""


def test_real_owners_and_modes_are_judged_alike(tmp_path: Path) -> None:
    us = os.geteuid()
    ours, open_one, link = tmp_path / "ours", tmp_path / "open", tmp_path / "link"
    for path, mode in ((ours, 0o644), (open_one, 0o666)):
        path.write_text("x")
        path.chmod(mode)
    link.symlink_to("/etc/passwd")
    assert _judge_really(us, ours, open_one, link, Path("/etc/passwd")) == [True, False, True, True]
    if us != 0:
        return
    # What only root can set up: the file of a user, in a folder of root's, as that user, root and a third one see it.
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent, tmp_path.parent.parent.parent):
        if folder != Path("/tmp"):
            folder.chmod(0o755)
    os.chown(ours, CALLER, CALLER)
    assert [_judge_really(user, ours)[0] for user in (CALLER, 0, OTHER)] == [True, False, False]
    assert _judge_really(0, ours, environment={"SUDO_UID": str(CALLER)}) == [True]


def _judge_really(user: int, *paths: Path, environment: dict[str, str] | None = None) -> list[bool]:
    done = subprocess.run(
        [sys.executable, "-c", REAL, str(user), *map(str, paths)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PLANS.parent), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[bool] = json.loads(done.stdout.lower())
    return found


def _admits(bench: Seen) -> bool:
    try:
        read_resolved_plan(bench.plan)
    except (TrustError, JournalError):
        return False
    return True


def _call_as_root_for(user: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Trust.find_users
    monkeypatch.setattr(Trust, "find_users", lambda self, environment=None: real(self, environment) | {user})
