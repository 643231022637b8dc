"""The upgrade script, with stubs in place of Docker and of the orchestrator: what it runs, and with what."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from tests.deploy.stubs import CHECKOUT, DIGEST, Ended, Stubs

ENV = """\
APP_VERSION={app}
POSTGRES_PASSWORD='se cret'
ORCHESTRATOR_IMAGE="ghcr.io/yourorg/upgrade-orchestrator"
ORCHESTRATOR_VERSION={orchestrator}
# the end
"""
DOCKER = """\
case "$*" in
version*) [ ! -e "$HOME/no-engine" ] ;;
*context*) cat "$HOME/endpoint" ;;
pull*) [ ! -e "$HOME/no-registry" ] ;;
*RepoDigests*) for ref; do :; done; echo "${ref%:*}@DIGEST" ;;
*"status --json"*) cat "$HOME/status" ;;
*"docker run"* | run*) exit "$(cat "$HOME/code")" ;;
esac
""".replace("DIGEST", DIGEST)
OURS = 'case $1 in --version) echo "orchestrator, version 0.1.0" ;; *) echo "plan $ORCHESTRATOR_PLAN"; exit 20 ;; esac'
ANOTHER = "echo 'orchestrator 3.2.6: topology of MySQL'"


class Bench:
    """An installation's folder, and what the stubs know."""

    def __init__(self, folder: Path) -> None:
        self.home, self.folder = folder / "home", folder / "remote-agent"
        self.stubs = Stubs(self.home)
        self.stubs.add("docker", DOCKER)
        self.stubs.add("orchestrator", "exit 127")
        self.folder.mkdir()
        for name in ("upgrade.sh", "upgrade.yaml"):
            (self.folder / name).write_bytes((CHECKOUT / "deploy" / name).read_bytes())
        self.know("endpoint", "unix:///var/run/docker.sock\n")
        self.know("code", "0")
        self.set("v1.2.3")

    def set(self, app: str, orchestrator: str = "v1.2.3") -> None:
        env = self.folder / ".env"
        env.write_text(ENV.format(app=app, orchestrator=orchestrator))
        env.chmod(0o600)

    def know(self, name: str, text: str = "") -> None:
        (self.home / name).write_text(text)

    def run(self, *options: str, pinned: str | None = None) -> Ended:
        environment = {"ORCHESTRATOR_VERSION": pinned} if pinned else {}
        return self.stubs.run("sh", self.folder / "upgrade.sh", *options, environment=environment)

    def pinned(self) -> str:
        (line,) = [
            line for line in (self.folder / ".env").read_text().splitlines() if line.startswith("ORCHESTRATOR_V")
        ]
        return line.partition("=")[2]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def container_call(ended: Ended) -> str:
    (call,) = [call for call in ended.calls if call.startswith("docker run ")]
    return call


def test_its_container_sees_the_engine_and_the_folder_at_the_same_place_and_can_write_nowhere_else(
    bench: Bench,
) -> None:
    folder = bench.folder
    user = f"--user {os.getuid()}:{os.getgid()} --group-add" if os.getuid() else ""
    call = container_call(bench.run("--force"))
    assert call.startswith(
        "docker run --rm --network host --pid host --read-only --tmpfs /tmp"
        " --mount type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock"
        f" --mount type=bind,source={folder},target={folder} --workdir {folder}"
    )
    assert user in call
    assert call.endswith(f" ghcr.io/yourorg/upgrade-orchestrator:v1.2.3 run {folder}/upgrade.yaml --force")
    assert "se cret" not in call


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "run PLAN"),
        (("--check",), "check PLAN"),
        (("--check", "--force"), "check PLAN"),
        (("--check", "--version", "v1.3.0"), "check PLAN --version=v1.3.0"),
        (("--version=v1.3.0", "--force"), "run PLAN --force --version=v1.3.0"),
        (("--recover",), "recover PLAN"),
        (("--resume",), "resume PLAN"),
        (("--", "backups", "list", "--json"), "backups list --json"),
        (("--", "run", "--dry-run"), "run --dry-run"),
    ],
)
def test_each_option_is_a_command_of_the_orchestrator(bench: Bench, options: tuple[str, ...], words: str) -> None:
    expected = words.replace("PLAN", f"{bench.folder}/upgrade.yaml")
    assert container_call(bench.run(*options)).endswith(f":v1.2.3 {expected}")


@pytest.mark.parametrize(
    "options",
    [("--nonsense",), ("--version",), ("--",), ("--check", "--recover"), ("--recover", "--force"), ("v1.3.0",)],
)
def test_a_command_line_that_cannot_be_meant_runs_nothing(bench: Bench, options: tuple[str, ...]) -> None:
    ended = bench.run(*options)
    assert (ended.exit_code, ended.calls) == (2, ())
    assert ended.stderr.endswith("upgrade.sh --help shows what there is\n")


def test_help_is_told_without_an_engine(bench: Bench) -> None:
    ended = bench.run("--help")
    assert (ended.exit_code, ended.calls) == (0, ())
    assert "./upgrade.sh --version v1.2.3   to this release\n" in ended.stdout


@pytest.mark.parametrize("code", [0, 10, 20, 30, 75, 100, 143])
def test_the_exit_code_is_that_of_the_orchestrator(bench: Bench, code: int) -> None:
    bench.know("code", str(code))
    assert bench.run("--force").exit_code == code


def test_the_orchestrator_on_the_host_goes_before_the_image(bench: Bench) -> None:
    bench.stubs.add("orchestrator", OURS)
    ended = bench.run("--version", "v1.3.0", pinned="v9")
    plan = f"{bench.folder}/upgrade.yaml"
    assert (ended.exit_code, ended.stdout) == (20, f"plan {plan}\n")
    assert ended.calls == ("orchestrator --version", f"orchestrator run {plan} --version=v1.3.0")


def test_the_orchestrator_on_the_host_gets_nothing_by_which_python_loads_something_else(bench: Bench) -> None:
    bench.stubs.add("orchestrator", f'env >>"$HOME/given"\n{OURS}')
    poison = {"PYTHONPATH": "/home/eve", "PYTHONHOME": "/x", "PYTHONSTARTUP": "/y", "PYTHONWARNINGS": "error::eve.X"}
    ended = bench.stubs.run("sh", bench.folder / "upgrade.sh", environment=poison)
    assert ended.exit_code == 20
    assert "PYTHON" not in (bench.home / "given").read_text()


def test_its_container_knows_who_called_sudo_and_whom_the_operator_trusts(bench: Bench) -> None:
    (started,) = [call for call in bench.run("--recover").calls if call.startswith("docker run")]
    assert "--env SUDO_UID --env ORCHESTRATOR_TRUST_OWNER" in started


def test_another_program_of_that_name_is_not_taken_for_it(bench: Bench) -> None:
    bench.stubs.add("orchestrator", ANOTHER)
    assert container_call(bench.run())


def test_signal_reaches_the_orchestrator(bench: Bench) -> None:
    works = "trap 'exit 143' TERM; : >$HOME/works; while :; do sleep 0.05; done"
    bench.stubs.add("docker", f"if [ $1 = run ]; then {works}; fi\n{DOCKER}")
    argv = ["sh", str(bench.folder / "upgrade.sh"), "--force"]
    environment = {"PATH": f"{bench.home}/bin:{os.environ['PATH']}", "HOME": str(bench.home)}
    with subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL) as script:
        while not (bench.home / "works").exists():
            os.sched_yield()
        script.send_signal(signal.SIGTERM)
        assert script.wait(30) == 143


def test_the_orchestrator_follows_the_release_that_runs_and_nothing_else_changes(bench: Bench) -> None:
    bench.set(f"v1.3.0@{DIGEST}")
    before = (bench.folder / ".env").read_text()
    ended = bench.run("--force")
    pin = f"v1.3.0@{DIGEST}"
    assert f"upgrade-orchestrator:{pin} run" in container_call(ended)
    after = (bench.folder / ".env").read_text()
    assert after == before.replace("ORCHESTRATOR_VERSION=v1.2.3\n", f"ORCHESTRATOR_VERSION={pin}\n")
    assert stat.S_IMODE((bench.folder / ".env").stat().st_mode) == 0o600
    assert not list(bench.folder.glob(".env.*"))


@pytest.mark.parametrize("app", ["v1.2.3", "v1.2.2", f"v1.2.3@{DIGEST}"])
def test_pin_never_moves_back_to_an_older_orchestrator(bench: Bench, app: str) -> None:
    bench.set(app)
    assert not [call for call in bench.run("--force").calls if call.startswith("docker pull")]
    assert bench.pinned() == "v1.2.3"


@pytest.mark.parametrize("option", ["--check", "--recover", "--resume"])
def test_only_an_upgrade_moves_the_pin(bench: Bench, option: str) -> None:
    bench.set("v1.3.0")
    bench.run(option)
    assert bench.pinned() == "v1.2.3"


def test_pin_stays_while_an_upgrade_has_no_end(bench: Bench) -> None:
    bench.set("v1.3.0")
    (bench.folder / ".orchestrator").mkdir()
    bench.know("status", '{"schema": 1, "run": "r-1", "verdict": null}')
    assert bench.run("--force").calls[-1].endswith(f":v1.2.3 run {bench.folder}/upgrade.yaml --force")
    assert bench.pinned() == "v1.2.3"
    bench.know("status", '{"schema": 1, "run": "r-1", "verdict": "committed"}')
    bench.run("--force")
    assert bench.pinned() == f"v1.3.0@{DIGEST}"


def test_unavailable_image_is_tried_again_next_time(bench: Bench) -> None:
    bench.set("v1.3.0")
    bench.know("no-registry")
    ended = bench.run("--force")
    assert "the orchestrator of v1.3.0 is not available now; the one of v1.2.3 does the work" in ended.stderr
    assert (ended.exit_code, bench.pinned()) == (0, "v1.2.3")


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (("endpoint", "tcp://10.0.0.1:2376\n"), "the engine tcp://10.0.0.1:2376 is not on this host"),
        (("endpoint", ""), "the engine that docker means is not on this host"),
        (("no-engine", ""), "no engine answers on /var/run/docker.sock"),
    ],
)
def test_without_an_engine_on_this_host_it_refuses(bench: Bench, known: tuple[str, str], said: str) -> None:
    bench.know(*known)
    ended = bench.run()
    assert ended.exit_code == 10
    assert said in ended.stderr
    assert not [call for call in ended.calls if call.startswith("docker run")]


def test_outside_an_installation_it_refuses(bench: Bench) -> None:
    (bench.folder / "upgrade.yaml").unlink()
    ended = bench.run()
    assert ended.exit_code == 10
    assert "belongs into the folder of an installation" in ended.stderr


def test_script_finds_its_folder_through_a_link(bench: Bench, tmp_path: Path) -> None:
    link = tmp_path / "upgrade"
    link.symlink_to(bench.folder / "upgrade.sh")
    assert container_call(bench.stubs.run("sh", link, "--check")).endswith(f"check {bench.folder}/upgrade.yaml")
