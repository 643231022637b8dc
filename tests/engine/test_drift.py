"""Each setting in which running services and files differ is named before anything is touched, with the remedy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from deploy.demo.bed import Bed
from orchestrator.adapters.compose.command import Compose
from orchestrator.adapters.compose.drift.comparison import compare
from orchestrator.adapters.compose.drift.finding import DriftFinder
from orchestrator.adapters.compose.drift.rendered import Rendered
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline
from tests.engine.installation import Install, Installation, orchestrator

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

Document = dict[str, Any]

EDITS: Mapping[str, Callable[[Document], object]] = {
    # what a person would do to the app in the compose file, and what is then named
    "mount /uploads: none now, volume {project}_uploads": lambda app: app["volumes"].append("uploads:/uploads"),
    "mount /conf: none now, bind {folder}/conf (read-only)": lambda app: app["volumes"].append("./conf:/conf:ro"),
    "environment variable DEBUG: is not set now, is set": lambda app: app["environment"].update(DEBUG="s3cret-value"),
    "environment variable TZ: is set now, has another value": lambda app: app["environment"].update(TZ="Asia/Tokyo"),
    "label team: none now, blue": lambda app: app.update(labels={**app["labels"], "team": "blue"}),
    "network {project}_front: none now, connected": lambda app: app.update(networks={"default": {}, "front": {}}),
    "alias www in {project}_default: none now, connected": lambda app: app["networks"].update(
        default={"aliases": ["www"]}
    ),
    "port 9100/tcp: none now, any free port": lambda app: app["ports"].append("9100"),
    "replicas: 1 now, 2": lambda app: app.update(scale=2),
    "user: ": lambda app: app.update(user="1234:1234"),
    "command: ": lambda app: app.update(command=["ledger", "serve", "--other"]),
    "entrypoint: ": lambda app: app.update(entrypoint=["/usr/bin/env"]),
    "image: ": lambda app: app.update(image=app["image"].replace("/ledger:", "/other:")),
    "restart policy: unless-stopped now, always": lambda app: app.update(restart="always"),
    "added capability NET_ADMIN: none now, yes": lambda app: app.update(cap_add=["NET_ADMIN"]),
}


@pytest.fixture(scope="module")
def ledger(install: Install) -> Iterator[Installation]:
    ledger = install(rehearsed=False)
    yield ledger
    ledger.host.compose("--project-name", other_name(ledger), "down", "--volumes", "--timeout", "0")
    ledger.host.down()


def other_name(ledger: Installation) -> str:
    return f"{ledger.host.project}-other"


def compose_file(ledger: Installation) -> Path:
    return ledger.host.folder / "docker-compose.yml"


def refuse(ledger: Installation) -> str:
    """The reason of a run that is refused; nothing of the app is another one than before."""
    before, env = containers(ledger), ledger.read_env()
    ended = ledger.run("--force", "--version", "v1.1.0", "--json")
    assert (ended.exit_code, ended.document["verdict"]) == (10, "refused"), ended.said
    assert (containers(ledger), ledger.read_env()) == (before, env)
    return str(ended.document["reason"])


def containers(ledger: Installation) -> set[tuple[str | None, str]]:
    found = ledger.host.client.containers.list(all=True)
    return {(one.id, one.status) for one in found if ledger.host.project in (one.name or "")}


def check_doctor(ledger: Installation) -> Mapping[str, str]:
    """The line of `doctor` about the containers."""
    ended = orchestrator("doctor", str(ledger.plan), "--json")
    checks = cast("Sequence[Mapping[str, str]]", ended.document["checks"])
    return next(check for check in checks if check["name"] == "containers")


def test_each_setting_that_an_edit_has_changed_is_named_before_anything_is_touched(ledger: Installation) -> None:
    assert check_doctor(ledger)["status"] == "ok"
    file = compose_file(ledger)
    before = file.read_text(encoding="utf-8")
    document = yaml.safe_load(before)
    document["services"]["app"].setdefault("volumes", [])
    for edit in EDITS.values():
        edit(document["services"]["app"])
    document["volumes"]["uploads"] = document["networks"]["front"] = {}
    file.write_text(yaml.safe_dump(document), encoding="utf-8")

    reason = refuse(ledger)
    for text in EDITS:
        assert f"app: {text.format(project=ledger.host.project, folder=ledger.host.folder)}" in reason, text
    assert "s3cret-value" not in reason
    assert "only if the files are meant, run `docker compose up -d --force-recreate app` there" in reason
    assert check_doctor(ledger)["code"] == "refused.drift"
    file.write_text(before, encoding="utf-8")
    assert check_doctor(ledger)["status"] == "ok"


def test_what_came_from_another_file_a_shell_a_scale_or_a_network_is_named_with_its_way_in(
    ledger: Installation,
) -> None:
    host, folder = ledger.host, ledger.host.folder
    (folder / "prod.yml").write_text(
        "services:\n  app:\n    volumes: [uploads:/uploads]\n    environment: {MODE: production}\n"
        "  helper:\n    image: ${IMAGE}:${APP_VERSION}\n    entrypoint: [sleep, '600']\n    init: true\n"
        "    healthcheck: {test: [CMD, 'true'], interval: 1s}\n"
        "volumes:\n  uploads: {}\n",
        encoding="utf-8",
    )
    host.compose("-f", "docker-compose.yml", "-f", "prod.yml", "up", "-d", "--wait", "--scale", "helper=2")
    reason = refuse(ledger)
    assert "helper: service: it runs now, none after a start" in reason
    assert f"app: mount /uploads: volume {host.project}_uploads now, none after a start" in reason
    assert "app: environment variable MODE: is set now, is not set after a start" in reason
    assert f"`COMPOSE_FILE=docker-compose.yml:prod.yml` into {folder}/.env" in reason

    env = folder / ".env"
    kept = env.read_bytes()
    env.write_bytes(kept + b"COMPOSE_FILE=docker-compose.yml:prod.yml\n")
    reason = refuse(ledger)
    assert "helper: replicas: 2 now, 1 after a start" in reason
    assert "in 1 setting" in reason
    assert "Write `scale: 2` for helper" in reason
    host.compose("up", "-d", "--wait")
    assert check_doctor(ledger)["status"] == "ok"

    host.client.networks.create(f"{host.project}_guest", labels=host_labels(ledger)).connect(host.container("app"))
    assert f"app: network {host.project}_guest: connected now, none" in refuse(ledger)
    host.client.networks.get(f"{host.project}_guest").disconnect(host.container("app"))
    host.container("app").update(restart_policy={"Name": "always"})
    assert "app: restart policy: always now, unless-stopped after a start" in refuse(ledger)
    env.write_bytes(kept)
    host.compose("up", "-d", "--wait", "--remove-orphans")
    assert "app: restart policy" not in check_doctor(ledger)["what"]


def host_labels(ledger: Installation) -> dict[str, str]:
    return {"com.docker.compose.project": ledger.host.project}


def test_a_project_that_runs_under_another_name_is_found_by_its_folder(ledger: Installation) -> None:
    host, other = ledger.host, other_name(ledger)
    host.compose("stop")
    host.compose("--project-name", other, "up", "-d", "app")
    ended = orchestrator("check", str(ledger.plan))
    assert ended.exit_code == 10, ended.said
    assert f"`COMPOSE_PROJECT_NAME={other}`" in ended.said
    assert "docker compose up" not in ended.said
    assert f"COMPOSE_PROJECT_NAME={other}" in refuse(ledger)
    env = host.folder / ".env"
    env.write_bytes(env.read_bytes() + f"COMPOSE_PROJECT_NAME={other}\n".encode())
    assert orchestrator("check", str(ledger.plan)).exit_code == 100


RICH = """\
services:
  rich:
    image: {image}
    user: "1000:1000"
    entrypoint: [sh, -c]
    command: ["sleep 600; echo $$HOME"]
    working_dir: /tmp
    hostname: h1
    domainname: example.org
    environment: {{A: "1", B: "x$$y", EMPTY: "", PASSED_ON: , NUMBER: 5}}
    env_file: [extra.env]
    labels: {{one: a, two: "true", empty: ""}}
    ports: ["127.0.0.1::80", "8443/udp"]
    expose: ["3000", "4000-4002/udp"]
    volumes:
      - data:/data
      - ./conf:/conf:ro
      - /anonymous
      - {{type: tmpfs, target: /mounted, tmpfs: {{size: 1000000}}}}
      - {{type: volume, source: named, target: /named/, volume: {{nocopy: true}}}}
    tmpfs: [/run1, "/run2:size=64k,mode=1777"]
    networks:
      front: {{aliases: [web1, web2]}}
      back:
    cap_add: [NET_ADMIN]
    cap_drop: [ALL]
    init: true
    tty: true
    stdin_open: true
    stop_signal: SIGINT
    stop_grace_period: 1m30s
    restart: on-failure:3
    logging: {{driver: json-file, options: {{max-size: 10m}}}}
    extra_hosts: ["a.b:1.2.3.4", "host.docker.internal:host-gateway", "v6:::1"]
    dns: [127.0.0.1]
    dns_search: [example.org]
    dns_opt: [use-vc]
    sysctls: {{net.ipv4.ip_unprivileged_port_start: 0}}
    ulimits: {{nofile: {{soft: 1000, hard: 2000}}, nproc: 100}}
    shm_size: 128m
    security_opt: ["no-new-privileges:true"]
    group_add: ["99"]
    mem_limit: 128m
    mem_reservation: 64m
    cpus: 0.5
    cpu_shares: 512
    pids_limit: 100
    oom_score_adj: 10
    devices: ["/dev/null:/dev/mine:r"]
    healthcheck: {{test: [CMD-SHELL, "true"], interval: 1m, timeout: 5s, retries: 3, start_period: 10s}}
    secrets: [key, {{source: word, target: /run/word}}]
    configs: [{{source: file, target: /etc/file.conf}}, text]
    links: ["plain:linked"]
    annotations: {{x: y}}
  plain:
    image: {image}
    command: sleep 600
    volumes: [shared:/shared]
    networks: [back]
    deploy:
      replicas: 2
      resources: {{limits: {{memory: 64M, cpus: "0.25", pids: 50}}, reservations: {{memory: 32M}}}}
      restart_policy: {{condition: any}}
  joined:
    image: {image}
    command: sleep 600
    read_only: true
    pid: host
    ipc: host
    network_mode: service:plain
    volumes_from: [plain:ro]
  hostly:
    image: {image}
    command: sleep 600
    network_mode: host
    healthcheck: {{disable: true}}
secrets:
  key: {{file: ./key.txt}}
  word: {{environment: WORD}}
configs:
  file: {{file: ./file.conf}}
  text: {{content: "hello ${{WORD}}"}}
volumes: {{data: , shared: , named: {{name: {project}-by-another-name}}}}
networks: {{front: , back: {{name: {project}-back}}}}
"""


def test_a_project_with_every_setting_is_as_compose_has_made_it(ledger_bed: Bed, tmp_path: Path) -> None:
    project = f"{ledger_bed.id}-rich"
    (tmp_path / "docker-compose.yml").write_text(
        f"name: {project}\n" + RICH.format(image=ledger_bed.bases.postgres, project=project), encoding="utf-8"
    )
    (tmp_path / ".env").write_text("WORD=swordfish\n", encoding="utf-8")
    (tmp_path / "extra.env").write_text("FROM_FILE=1\n", encoding="utf-8")
    (tmp_path / "conf").mkdir()
    for name in ("key.txt", "file.conf"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    engine, compose, deadline = DockerEngine.connect(), Compose(os.environ), Deadline(SystemClock(), 120)
    run = ["docker", "compose", "--project-directory", str(tmp_path)]
    try:
        compose.run([*run, "up", "--detach"], tmp_path, deadline=deadline)
        rendered = Rendered.of(compose.render(tmp_path, {}), os.path.realpath)
        found = engine.find_settings({"com.docker.compose.project": project})
        assert len(found) == 5
        images = {one.image: engine.find_image_settings(one.image) for one in found}
        known = {image: settings for image, settings in images.items() if settings is not None}
        # Without Compose's hash, which would let none of its settings count.
        assert [str(one.to_difference()) for one in compare(rendered, found, known)] == []

        finder = DriftFinder(engine, compose, tmp_path, {})
        assert finder.find(compose.render(tmp_path, {})).differences == ()
        file = tmp_path / "docker-compose.yml"
        file.write_text(file.read_text(encoding="utf-8").replace("hello ${WORD}", "bye"), encoding="utf-8")
        (tmp_path / ".env").write_text("WORD=plaice\n", encoding="utf-8")
        texts = [str(one) for one in finder.find(compose.render(tmp_path, {})).differences]
        changed = "is set now, has another text after a start"
        assert texts == [f"rich: text of text: {changed}", f"rich: text of word: {changed}"]
    finally:
        compose.run([*run, "down", "--volumes", "--timeout", "0"], tmp_path, deadline=deadline)
