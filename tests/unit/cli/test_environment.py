"""The caller's environment and texts of a plan have only their intended effect on a command that runs as root."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.adapters.compose.command import build_environment, job_command, start_command, up_command
from orchestrator.adapters.docker.context import require_private_channel
from orchestrator.adapters.host.caller_environment import keep_trusted
from orchestrator.core import trust
from orchestrator.core.errors import PlatformError, TrustError
from orchestrator.core.trust import TRUST
from orchestrator.entry import build_isolated, find_loading

ROOT = Path(__file__).parents[3]
OTHER = 64001


@pytest.fixture(autouse=True)
def _nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TRUST, "accepted", set())


def folder(place: Path, mode: int = 0o755) -> Path:
    place.mkdir(parents=True)
    place.chmod(mode)
    return place


# ---- Where programs are looked for


def test_a_folder_of_path_that_others_can_write_is_left_out_for_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = folder(tmp_path / "right"), folder(tmp_path / "wrong", 0o777)
    below = folder(wrong / "below")
    environment = {"PATH": f"{wrong}:.::bin:{right}:{below}:{tmp_path / 'absent'}/x"}
    uid, real = tmp_path.stat().st_uid, os.geteuid
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(TRUST, "accepted", {uid})
    assert keep_trusted(environment)["PATH"].split(":") == [str(right), f"{tmp_path / 'absent'}/x"]
    monkeypatch.setattr(os, "geteuid", lambda: real() or 1000)
    assert keep_trusted(environment)["PATH"].split(":")[:2] == [str(wrong), str(right)]


@pytest.mark.parametrize("path", ["", ".", "bin:./x", "::"])
def test_without_one_good_folder_path_is_the_systems(path: str) -> None:
    assert "/usr/bin" in keep_trusted({"PATH": path})["PATH"].split(":")


# ---- Docker's settings and plugins

SETTINGS = {
    "settings": "config.json",
    "plugin folder": "cli-plugins",
    "plugin": "cli-plugins/docker-compose",
    "contexts": "contexts",
    "their folder": ".",
}


@pytest.mark.parametrize("variable", ["DOCKER_CONFIG", "HOME"])
@pytest.mark.parametrize("fault", ["owner", "mode"])
@pytest.mark.parametrize("subject", SETTINGS)
def test_settings_of_docker_that_somebody_else_can_change_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: str, fault: str, variable: str
) -> None:
    settings = folder(tmp_path / ".docker")
    folder(settings / "cli-plugins")
    folder(settings / "contexts")
    (settings / "config.json").write_text("{}")
    (settings / "cli-plugins" / "docker-compose").write_text("#!/bin/sh\n")
    environment = {variable: str(settings if variable == "DOCKER_CONFIG" else tmp_path), "PATH": "/usr/bin"}
    assert keep_trusted(environment) == environment
    place = settings / SETTINGS[subject]
    if fault == "mode":
        place.chmod(place.stat().st_mode | 0o002)
    else:
        monkeypatch.setattr(trust, "look", lambda path: _belongs_to_another(path, place))
    with pytest.raises(TrustError, match="Another user can change"):
        keep_trusted(environment)


def _belongs_to_another(path: Path, place: Path) -> os.stat_result:
    found = list(path.lstat())
    if path == place:
        found[4] = OTHER
    return os.stat_result(found)


def test_a_home_without_settings_of_docker_is_right(tmp_path: Path) -> None:
    environment = {"HOME": str(folder(tmp_path / "tmp", 0o1777)), "PATH": "/usr/bin"}
    assert keep_trusted(environment) == environment


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_somebody_else_can_change_are_not_believed(tmp_path: Path, name: str) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("-")
    assert keep_trusted({name: str(path), "PATH": "/usr/bin"})[name] == str(path)
    path.chmod(0o666)
    with pytest.raises(TrustError):
        keep_trusted({name: str(path)})


@pytest.mark.parametrize("name", ["SSL_CERT_DIR", "DOCKER_CERT_PATH"])
def test_a_folder_of_certificates_is_nobody_elses_to_write_to(tmp_path: Path, name: str) -> None:
    place = folder(tmp_path / "certificates")
    assert keep_trusted({name: str(place), "PATH": "/usr/bin"})[name] == str(place)
    place.chmod(0o1777)
    with pytest.raises(TrustError):
        keep_trusted({name: str(place)})


# ---- The engine's address

ADDRESSES = {
    "": True,
    "unix:///var/run/docker.sock": True,
    "ssh://root@host": True,
    "tcp://127.0.0.1:2375": True,
    "tcp://127.8.9.1:2375": True,
    "tcp://localhost:2375": True,
    "tcp://[::1]:2375": True,
    "127.0.0.1:2375": True,
    "tcp://10.0.0.1:2375": False,
    "tcp://docker:2375": False,
    "TCP://10.0.0.1:2375": False,
    "tcp://localhost.example.org:2375": False,
    "tcp://127.0.0.1.example.org:2375": False,
    "tcp://127.0.0.1@10.0.0.1:2375": False,
    "http://10.0.0.1:2375": False,
    "https://10.0.0.1:2376": False,
    "10.0.0.1:2375": False,
    "tcp://[2001:db8::1]:2375": False,
    "tcp://[": False,
}


@pytest.mark.parametrize("host", ADDRESSES)
def test_an_engine_across_the_network_needs_tls_or_a_yes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert _is_reached({"DOCKER_HOST": host}) is ADDRESSES[host]
    assert _is_reached({"DOCKER_HOST": host, "DOCKER_TLS_VERIFY": "1"})
    assert _is_reached({"DOCKER_HOST": host, "DOCKER_TLS_VERIFY": ""}) is ADDRESSES[host]
    assert _is_reached({"DOCKER_HOST": host, "ORCHESTRATOR_PLAIN_TCP": host})
    other = {"DOCKER_HOST": host, "ORCHESTRATOR_PLAIN_TCP": "tcp://elsewhere:2375"}
    assert _is_reached(other) is ADDRESSES[host]


@pytest.mark.parametrize(
    ("endpoint", "is_reached"),
    [
        ({"Host": "unix:///run/x.sock"}, True),
        ({"Host": "tcp://10.0.0.1:2375", "SkipTLSVerify": False}, False),
        ({"Host": "tcp://10.0.0.1:2375", "SkipTLSVerify": True}, False),
        ({"Host": "tcp://127.0.0.1:2375"}, True),
    ],
)
def test_the_address_of_a_context_is_judged_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: dict[str, object], is_reached: bool
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    place = folder(tmp_path / "contexts" / "meta" / hashlib.sha256(b"far").hexdigest())
    (place / "meta.json").write_text(json.dumps({"Name": "far", "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    assert _is_reached({"DOCKER_CONTEXT": "far"}) is is_reached


def test_a_context_that_only_compose_would_find_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(PlatformError, match="Where the docker context far leads"):
        require_private_channel({"DOCKER_CONTEXT": "far"})
    require_private_channel({"DOCKER_CONTEXT": "default"})


def _is_reached(environment: dict[str, str]) -> bool:
    try:
        require_private_channel(environment)
    except PlatformError as error:
        return error.code != "engine.plain_tcp"
    return True


# ---- What Python would load


def test_what_makes_python_load_something_else_is_taken_out_and_nothing_more() -> None:
    ours = {"PATH": "/bin", "PYTHONPATH": "/home/eve", "PYTHONWARNINGS": "x", "PYTHONUNBUFFERED": "1", "PYTHONHOME": ""}
    argv, environment = build_isolated(["/usr/bin/orchestrator", "run", "--force"], ours)
    assert argv == [sys.executable, "-I", "/usr/bin/orchestrator", "run", "--force"]
    assert environment == {"PATH": "/bin", "PYTHONUNBUFFERED": "1"}
    assert not find_loading(environment)


@pytest.mark.parametrize("planted", ["click.py", "json.py"])
def test_a_module_that_lies_on_the_callers_path_is_not_run_as_root(tmp_path: Path, planted: str) -> None:
    place = tmp_path / "eve" / planted
    place.parent.mkdir(parents=True)
    place.write_text("import sys\nprint('planted', flush=True)\nsys.exit(99)\n")
    script = tmp_path / "orchestrator"
    root = "import os\nos.geteuid = lambda: 0\n"  # as root sees it, whoever runs this test
    script.write_text(f"{root}from orchestrator.entry import main\nmain()\n")
    done = subprocess.run(
        [sys.executable, script, "lint", ROOT / "plans" / "upgrade.yaml"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "eve")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "planted" not in done.stdout
    assert done.returncode in (0, 70), done.stderr  # 70: the checkout is not root's, and root is who asks here


# ---- Words of a command line


def test_a_word_of_the_project_is_never_an_option_of_compose() -> None:
    lines = [
        up_command(Path("/p"), ["--scale"], file=None, name=None),
        start_command(Path("/p"), ["--scale"], file=Path("/f"), name="n"),
        job_command(Path("/p"), "j", ["--volume=/:/h", "x"], file=Path("/f"), name="n", run_id="r"),
    ]
    for line in lines:
        options = line[: line.index("--")]
        assert not {"--scale", "--volume=/:/h"} & {*options}
        assert {"--scale", "--volume=/:/h"} & {*line}


def test_compose_is_told_to_fetch_no_project_from_elsewhere() -> None:
    given = build_environment({"COMPOSE_EXPERIMENTAL_GIT_REMOTE": "true", "PATH": "/bin"})
    assert given["COMPOSE_EXPERIMENTAL_GIT_REMOTE"] == given["COMPOSE_EXPERIMENTAL_OCI_REMOTE"] == "false"


def test_a_crash_leaves_no_core_file() -> None:
    code = "import resource; from orchestrator.entry import leave_no_core; leave_no_core();"
    code += " print(resource.getrlimit(resource.RLIMIT_CORE)[0])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
