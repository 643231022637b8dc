"""The installer, with stubs in place of Docker and of the network: what it makes, keeps, refuses, and says."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.deploy.stubs import DIGEST, PROGRAMS, VERSION, Ended, Stubs, pack

# It knows of images and of what runs only what files beside it say.
DOCKER = """\
case "$*" in
*"volume inspect"*) [ -e "$HOME/volume" ] ;;
*RepoDigests*) for ref; do :; done; echo "${ref%:*}@DIGEST" ;;
*Config.User*) echo 10001:10001 ;;
pull*) [ ! -e "$HOME/no-registry" ] || { echo "connection refused" >&2; exit 1; } ;;
*working_dir*) cat "$HOME/others" 2>/dev/null ;;
*"--status running"*) cat "$HOME/running" 2>/dev/null ;;
*"up --detach --wait --wait-timeout 180"*) [ ! -e "$HOME/ill" ] || { printf 'app is unhealthy\\033[2J\\n'; exit 1; } ;;
esac
exit $?
""".replace("DIGEST", DIGEST)
# `curl … --output FILE ADDRESS` and `wget … -O FILE ADDRESS` take the file from the packed release.
FETCH = """\
[ ! -e "$HOME/offline" ] || exit 7
while [ $# -gt 2 ]; do shift; done
cp "$HOME/dist/${2##*/}" "$1"
"""
MADE = [
    ".env",
    ".installed.sha256",
    "backups",
    "docker-compose.yml",
    "ssh-keys",
    "upgrade.sh",
    "upgrade.yaml",
    "workspaces",
]
USER = "10001:10001" if os.getuid() == 0 else f"{os.getuid()}:{os.getgid()}"


class Bench:
    """A folder to install in, and what the stubs know."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.stubs = Stubs(self.home)
        self.stubs.add("docker", DOCKER)
        self.stubs.add("curl", FETCH)
        for name in ("gh", "cosign"):  # as where neither is; a test that needs one puts it there
            self.stubs.add(name, "exit 1")
        pack(self.home / "dist")
        self.folder = folder / "remote-agent"

    def know(self, name: str, text: str = "") -> None:
        (self.home / name).write_text(text)

    def run(self, *options: str, path: str = "") -> Ended:
        script = self.home / "dist" / "install.sh"
        return self.stubs.run("sh", script, "--dir", str(self.folder), *options, path=path)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []

    def settings(self) -> dict[str, str]:
        return dict(re.findall(r"^([A-Z_]+)=(.*)$", (self.folder / ".env").read_text(), re.MULTILINE))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def installed(bench: Bench) -> Bench:
    ended = bench.run()
    assert ended.exit_code == 0, ended.stderr
    bench.know("running", "0123456789ab\n")
    return bench


def test_install_ends_with_the_five_lines_of_places(bench: Bench) -> None:
    ended = bench.run()
    assert (ended.exit_code, ended.stdout) == (
        0,
        f"✓ Remote Agent installed successfully!\n\nLocation: {bench.folder}/\nUpgrade:  {bench.folder}/upgrade.sh\n"
        f"Logs:     docker compose -f {bench.folder}/docker-compose.yml logs -f\n\nAccess at: http://localhost:5100\n",
    )
    assert bench.names() == MADE


def test_private_files_are_private_and_app_folders_belong_to_its_user(installed: Bench) -> None:
    def look(name: str) -> tuple[str, str]:
        found = (installed.folder / name).stat()
        return f"{stat.S_IMODE(found.st_mode):04o}", f"{found.st_uid}:{found.st_gid}"

    ours = f"{os.getuid()}:{os.getgid()}"
    assert look("workspaces") == ("0750", USER)
    assert look("ssh-keys") == ("0700", USER)
    assert look("backups") == ("0700", ours)
    assert look(".env") == ("0600", ours)
    assert look("upgrade.sh") == ("0755", ours)
    assert look(".") == ("0755", ours)


def test_the_settings_pin_what_was_pulled_and_hold_a_password_that_no_command_was_told(bench: Bench) -> None:
    ended = bench.run("--set", "APP_PORT=8080", "--registry", "mirror.lan:5000")
    settings = bench.settings()
    password = settings.pop("POSTGRES_PASSWORD")
    assert re.fullmatch(r"[0-9a-f]{48}", password)
    assert not [call for call in ended.calls if password in call]
    assert settings == {
        "APP_VERSION": f"{VERSION}@{DIGEST}",
        "APP_BIND": "127.0.0.1",
        "APP_PORT": "8080",
        "APP_USER": USER,
        "APP_IMAGE": "mirror.lan:5000/yourorg/remote-agent",
        "ORCHESTRATOR_IMAGE": "mirror.lan:5000/yourorg/upgrade-orchestrator",
        "ORCHESTRATOR_VERSION": f"{VERSION}@{DIGEST}",
        "POSTGRES_IMAGE": "mirror.lan:5000/postgres:15-bookworm",
        "POSTGRES_VOLUME": "remote-agent-postgres",
        "RELEASES_API": "https://api.github.com",
        "RELEASES_REPOSITORY": "yourorg/remote-agent",
    }
    assert "http://localhost:8080" in ended.stdout


def test_the_database_is_up_and_migrated_before_the_app_starts(bench: Bench) -> None:
    steps = [call.partition("--ansi never ")[2] for call in bench.run().calls if "--ansi never" in call]
    assert steps == [
        "ps --quiet --status running app",
        "up --detach --wait --wait-timeout 120 db",
        "run --rm --no-deps --no-TTY app migrate",
        "up --detach --wait --wait-timeout 180",
    ]


def test_a_second_run_keeps_the_settings_and_makes_what_is_missing(installed: Bench) -> None:
    before = (installed.folder / ".env").read_bytes()
    (installed.folder / "upgrade.sh").unlink()
    (installed.folder / "ssh-keys").chmod(0o755)
    ended = installed.run()
    assert (ended.exit_code, installed.names()) == (0, MADE)
    assert (installed.folder / ".env").read_bytes() == before
    assert stat.S_IMODE((installed.folder / "ssh-keys").stat().st_mode) == 0o700
    assert not [call for call in ended.calls if "migrate" in call or call.startswith("docker pull")]


def test_a_second_run_replaces_only_files_that_nobody_has_edited(installed: Bench) -> None:
    plan, script = installed.folder / "upgrade.yaml", installed.folder / "upgrade.sh"
    plan.write_text(plan.read_text() + "# ours\n")
    pack_anew(installed, "upgrade.sh", "upgrade.yaml")
    ended = installed.run()
    assert "upgrade.yaml was edited and stays as it is" in ended.stderr
    assert plan.read_text().endswith("# ours\n")
    assert script.read_text().endswith("# newer\n")


def pack_anew(bench: Bench, *names: str) -> None:
    dist = bench.home / "dist"
    for name in names:
        (dist / name).write_text((dist / name).read_text() + "# newer\n")
    sums = subprocess.run(
        ["sha256sum", *sorted(p.name for p in dist.iterdir() if p.name != "SHA256SUMS")],
        cwd=dist,
        capture_output=True,
        check=True,
    )
    (dist / "SHA256SUMS").write_bytes(sums.stdout)


def test_wget_does_where_there_is_no_curl(bench: Bench) -> None:
    bench.stubs.add("wget", FETCH)
    (bench.home / "bin" / "curl").unlink()
    ended = bench.run(path=bench.stubs.link(*PROGRAMS, "setsid", "sh"))
    assert (ended.exit_code, bench.names()) == (0, MADE), ended.stderr
    assert len([call for call in ended.calls if call.startswith("wget ")]) == 5


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ("offline", "could not be fetched; nothing was changed. See that this host reaches https://github.com"),
        ("no-registry", "could not be pulled (connection refused); nothing was changed"),
        ("volume", "the volume remote-agent-postgres holds a database, and there is no"),
    ],
)
def test_missing_release_leaves_nothing_behind_and_is_reported_in_one_line(bench: Bench, known: str, said: str) -> None:
    bench.know(known)
    ended = bench.run()
    assert (ended.exit_code, bench.names(), ended.stdout) == (1, [], "")
    assert said in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["docker-compose.yml", "upgrade.sh", "SHA256SUMS"])
def test_files_that_their_checksums_do_not_fit_are_not_installed(bench: Bench, name: str) -> None:
    path = bench.home / "dist" / name
    path.write_text(path.read_text()[: path.stat().st_size // 2])
    ended = bench.run()
    assert (ended.exit_code, bench.names()) == (1, [])
    assert "are not those that its SHA256SUMS names" in ended.stderr


def test_a_dry_run_says_what_would_be_and_makes_nothing(bench: Bench) -> None:
    ended = bench.run("--dry-run")
    assert (ended.exit_code, bench.names()) == (0, [])
    assert f"would make {bench.folder} with .env" in ended.stderr
    assert not [call for call in ended.calls if re.match("docker (pull|compose .*(up|run|down))", call)]


def test_an_app_that_is_not_healthy_is_told_with_its_last_words_made_inert(bench: Bench) -> None:
    bench.know("ill")
    ended = bench.run()
    assert ended.exit_code == 1
    assert "    app is unhealthy[2J\n" in ended.stderr
    assert "the app is not healthy; the lines above say why" in ended.stderr
    assert ended.stdout == ""


def test_two_projects_of_one_name_are_not_mixed_up(bench: Bench) -> None:
    bench.know("others", "/srv/remote-agent\n")
    ended = bench.run()
    assert (ended.exit_code, bench.names()) == (1, [])
    assert "the containers of /srv/remote-agent are called remote-agent, too" in ended.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--nonsense",),
        ("--dir",),
        ("--dir", "/srv/Remote Agent"),
        ("--set", "POSTGRES_PASSWORD=secret"),
        ("--set", "APP_PORT=1;id"),
        ("--set", "APP_POORT=1"),
        ("--delete-data",),
    ],
)
def test_a_command_line_that_cannot_be_meant_changes_nothing(bench: Bench, options: tuple[str, ...]) -> None:
    ended = bench.run(*options)
    assert (ended.exit_code, bench.names()) == (2, [])
    assert ended.stderr.endswith("install.sh --help shows what there is\n")


def test_an_installer_of_no_release_refuses(bench: Bench) -> None:
    script = Path(__file__).parents[2] / "deploy" / "install.sh"
    ended = bench.stubs.run("sh", script, "--dir", str(bench.folder))
    assert (ended.exit_code, bench.names()) == (1, [])
    assert "is of no release" in ended.stderr


@pytest.mark.parametrize("option", [(), ("--uninstall",)])
@pytest.mark.parametrize(
    ("status", "said"),
    [("""echo '{"schema": 1, "verdict": null}'""", "upgrade.sh --recover."), ("exit 10", "cannot be told;")],
)
def test_while_an_upgrade_has_no_end_nothing_is_touched(
    installed: Bench, option: tuple[str, ...], status: str, said: str
) -> None:
    (installed.folder / ".orchestrator").mkdir()
    (installed.folder / "upgrade.sh").write_text(f"#!/bin/sh\n{status}\n")
    ended = installed.run(*option)
    assert ended.exit_code == 1
    assert said in ended.stderr
    assert ended.stderr.endswith(" Nothing was changed.\n")
    assert not [call for call in ended.calls if re.search(" (up|run|down|rm) ", call)]


@pytest.mark.parametrize("status", ['{"verdict": "rolled_back"}', '{"error": {"code": "usage.no_journal"}}'])
def test_an_upgrade_that_has_its_end_is_in_nobodys_way(installed: Bench, status: str) -> None:
    (installed.folder / ".orchestrator").mkdir()
    (installed.folder / "upgrade.sh").write_text(f"#!/bin/sh\necho '{status}'\n")
    assert installed.run().exit_code == 0


def test_uninstalling_leaves_the_data(installed: Bench) -> None:
    (installed.folder / "notes.txt").write_text("ours")
    ended = installed.run("--uninstall")
    assert (ended.exit_code, ended.stdout) == (0, "")
    assert installed.names() == [".env", "backups", "notes.txt", "ssh-keys", "workspaces"]
    assert any(call.endswith("down --remove-orphans") for call in ended.calls)
    assert not [call for call in ended.calls if "volume rm" in call]


def test_data_goes_only_when_that_is_said_twice(installed: Bench) -> None:
    once = installed.run("--uninstall", "--delete-data")
    assert (once.exit_code, installed.names()) == (1, MADE)
    assert "that was not said twice; nothing was changed" in once.stderr
    twice = installed.run("--uninstall", "--delete-data", "--delete-data")
    assert (twice.exit_code, installed.folder.exists()) == (0, False), twice.stderr
    assert "docker volume rm remote-agent-postgres" in twice.calls
