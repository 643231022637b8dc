"""The installer in a folder that somebody else can change, and with files of somebody else: it does nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.deploy.stubs import VERSION, Ended
from tests.deploy.test_install import MADE, Bench

OTHER = "64001"
# Tells another owner for the paths in a file; that owner could not be given by a test that is not root's.
STAT = """\
for path; do :; done
real=$(/usr/bin/stat "$@") || exit
if grep -qxF "$path" "$HOME/of-another" 2>/dev/null; then
    case "$*" in
    *"%A %u %g"*) real="${real%% *} OTHER OTHER" ;;
    *%u*) real=OTHER ;;
    esac
fi
printf '%s\\n' "$real"
""".replace("OTHER", OTHER)
PLANTED = '#!/bin/sh\necho planted >>"$HOME/planted"\n'


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.stubs.add("stat", STAT)
    return made


@pytest.fixture
def installed(bench: Bench) -> Bench:
    ended = bench.run()
    assert ended.exit_code == 0, ended.stderr
    bench.know("running", "0123456789ab\n")
    return bench


def belongs_to_another(bench: Bench, *paths: Path) -> None:
    bench.know("of-another", "".join(f"{path}\n" for path in paths))


def assert_nothing_was_done(bench: Bench, ended: Ended, said: str) -> None:
    assert ended.exit_code == 1
    assert said in ended.stderr
    assert ended.stderr.endswith("Nothing was changed.\n")
    assert not [call for call in ended.calls if re.search(r" (up|run|down|rm|pull) ", f"{call} ")]
    assert not (bench.home / "planted").exists()


def test_no_link_in_the_folder_is_followed(installed: Bench) -> None:
    for name, option in [
        *((name, ()) for name in (*MADE, ".orchestrator")),
        (".env", ("--dry-run",)),
        ("backups", ("--uninstall",)),
    ]:
        path, kept, elsewhere = (
            place / name for place in (installed.folder, installed.home / "kept", installed.home / "elsewhere")
        )
        for folder in (kept.parent, elsewhere.parent):
            folder.mkdir(exist_ok=True)
        if path.exists():
            path.rename(kept)
        if name in ("workspaces", "ssh-keys", "backups", ".orchestrator"):
            elsewhere.mkdir(mode=0o755, exist_ok=True)
        else:
            elsewhere.write_text("theirs")
            elsewhere.chmod(0o644)
        path.symlink_to(elsewhere)
        before = elsewhere.stat()
        assert_nothing_was_done(installed, installed.run(*option), f"{path} is a link")
        after = elsewhere.stat()
        assert (after.st_mode, after.st_uid, after.st_mtime_ns) == (before.st_mode, before.st_uid, before.st_mtime_ns)
        path.unlink()
        if kept.exists():
            kept.rename(path)


def test_the_folder_itself_is_no_link(bench: Bench) -> None:
    (bench.home / "elsewhere").mkdir()
    bench.folder.symlink_to(bench.home / "elsewhere")
    assert_nothing_was_done(bench, bench.run(), "is a link")
    assert not [*(bench.home / "elsewhere").iterdir()]


@pytest.mark.parametrize("planted", [".upgrade.sh.new", ".env.new"])
def test_a_link_where_a_file_was_once_prepared_is_not_written_through(bench: Bench, planted: str) -> None:
    bench.folder.mkdir()
    victim = bench.home / "victim"
    victim.write_text("theirs")
    (bench.folder / planted).symlink_to(victim)
    assert bench.run().exit_code == 0
    assert victim.read_text() == "theirs"


@pytest.mark.parametrize("where", ["folder", "above"])
def test_a_folder_of_somebody_else_is_refused(bench: Bench, where: str) -> None:
    bench.folder.mkdir()
    belongs_to_another(bench, bench.folder if where == "folder" else bench.folder.parent)
    assert_nothing_was_done(bench, bench.run(), f"belongs to user {OTHER}, who could change what is installed there")
    assert bench.names() == []


def test_a_file_of_somebody_else_is_neither_read_nor_run(installed: Bench) -> None:
    (installed.folder / ".orchestrator").mkdir()
    (installed.folder / "upgrade.sh").write_text(PLANTED)
    for name in ("upgrade.sh", ".env", "docker-compose.yml", "upgrade.yaml", ".installed.sha256"):
        belongs_to_another(installed, installed.folder / name)
        assert_nothing_was_done(installed, installed.run(), f"{installed.folder / name} belongs to user {OTHER}")


#: Where, with which mode → whether that is right.
MODES = {
    ("", 0o777): False,
    ("", 0o1777): False,
    ("..", 0o777): False,
    ("..", 0o1777): True,
    ("upgrade.sh", 0o757): False,
    (".env", 0o606): False,
}


def test_world_writable_path_is_refused(installed: Bench) -> None:
    for (place, mode), is_right in MODES.items():
        path = (installed.folder / place).resolve()
        before = path.stat().st_mode
        path.chmod(mode)
        ended = installed.run("--dry-run")
        if is_right:
            assert ended.exit_code == 0, ended.stderr
        else:
            assert_nothing_was_done(installed, ended, f"everybody may write to {path}")
        path.chmod(before)


def test_the_person_who_called_sudo_is_no_stranger_but_their_script_is_not_run(installed: Bench) -> None:
    if os.getuid() != 0:
        installed.stubs.add("id", 'case "$*" in -u) echo 0 ;; *) exec /usr/bin/id "$@" ;; esac')
    belongs_to_another(installed, installed.folder.parent)
    script = installed.home / "dist" / "install.sh"
    arguments = ("sh", script, "--dir", str(installed.folder), "--dry-run")
    assert installed.stubs.run(*arguments, environment={"SUDO_UID": OTHER}).exit_code == 0
    for wrong in ("", "1000", "x", f"{OTHER} 1", f"0\n{OTHER}x"):
        assert installed.stubs.run(*arguments, environment={"SUDO_UID": wrong}).exit_code == 1
    (installed.folder / ".orchestrator").mkdir()
    (installed.folder / "upgrade.sh").write_text(PLANTED)
    belongs_to_another(installed, installed.folder.parent, installed.folder / "upgrade.sh")
    ended = installed.stubs.run(*arguments, environment={"SUDO_UID": OTHER})
    assert_nothing_was_done(installed, ended, "is not run by another one")


# ---- Who made the files

WORKFLOW = "yourorg/remote-agent/.github/workflows/docker-publish.yml"


@pytest.mark.parametrize("program", ["gh", "cosign"])
def test_a_program_that_can_tell_who_made_the_files_is_asked(bench: Bench, program: str) -> None:
    (bench.home / "dist" / "attestation.json").write_text("{}")
    bench.stubs.add(program, "exit 0")
    ended = bench.run()
    assert ended.exit_code == 0, ended.stderr
    assert f"made by {WORKFLOW} of {VERSION}: {program} has checked the signature" in ended.stderr
    (asked,) = [call for call in ended.calls if call.startswith(f"{program} ") and "attestation.json" in call]
    assert WORKFLOW in asked
    assert f"refs/tags/{VERSION}" in asked
    assert "SHA256SUMS" in asked


@pytest.mark.parametrize("program", ["gh", "cosign"])
@pytest.mark.parametrize("lacking", ["signature", "bundle"])
def test_files_that_nobody_vouches_for_are_not_installed(bench: Bench, program: str, lacking: str) -> None:
    if lacking == "signature":
        (bench.home / "dist" / "attestation.json").write_text("{}")
    asking = 'case "$*" in *SHA256SUMS*) printf "no match\\033[2J\\n" >&2; exit 1 ;; esac'
    bench.stubs.add(program, asking)
    ended = bench.run()
    assert (ended.exit_code, bench.names()) == (1, [])
    assert ("no match[2J" in ended.stderr) is (lacking == "signature")
    assert "nothing was changed" in ended.stderr
    agreed = bench.run("--unattested")
    assert (agreed.exit_code, bench.names()) == (0, MADE), agreed.stderr
    assert "who made the files was not checked, as you have said" in agreed.stderr


def test_where_nothing_can_tell_who_made_the_files_that_is_said(bench: Bench) -> None:
    assert "neither gh nor cosign is here, so who made the files was not checked" in bench.run("--dry-run").stderr
    elsewhere = bench.run("--dry-run", "--server", "https://git.lan")
    assert "who made the files cannot be checked on https://git.lan" in elsewhere.stderr
