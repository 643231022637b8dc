"""Each setting that runs otherwise than it would be started is named; what nobody has set is no difference."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.adapters.compose.drift.comparison import BEHIND_GATE, Deviation, compare
from orchestrator.adapters.compose.drift.rendered import Rendered
from orchestrator.adapters.docker.settings import ContainerSettings, ImageSettings

Document = dict[str, Any]
Change = Callable[[Document], object]

ID = "c0ffee" * 10 + "abcd"
IMAGE_ID = "sha256:1"
VOLUME = "f" * 64

IMAGE: Document = {
    "Id": IMAGE_ID,
    "Config": {
        "Env": ["PATH=/bin", "LANG=C.UTF-8"],
        "Cmd": ["serve"],
        "Entrypoint": ["/entry"],
        "User": "app",
        "WorkingDir": "/srv",
        "Labels": {"org.opencontainers.image.version": "1.0.0"},
        "ExposedPorts": {"5100/tcp": {}},
        "Volumes": {"/var/cache/app": {}},
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5_000_000_000},
        "StopSignal": "SIGINT",
    },
}

PROJECT: Document = {
    "name": "shop",
    "services": {
        "web": {
            "image": "shop:v1",
            "command": None,
            "entrypoint": None,
            "environment": {"DATABASE": "postgres", "NOT_SET": None, "DOLLARS": "a$$b"},
            "labels": {"team": "blue"},
            "networks": {"default": {"aliases": ["www"]}},
            "ports": [
                {"mode": "ingress", "host_ip": "127.0.0.1", "target": 5100, "published": "8080", "protocol": "tcp"},
                {"mode": "ingress", "target": 9000, "protocol": "udp"},
            ],
            "restart": "unless-stopped",
            "volumes": [
                {"type": "volume", "source": "data", "target": "/data", "volume": {}},
                {"type": "bind", "source": "/opt/shop/conf", "target": "/conf/", "read_only": True, "bind": {}},
            ],
            "tmpfs": ["/tmp:size=64k"],
            "cap_add": ["NET_ADMIN"],
            "secrets": [{"source": "key"}],
        }
    },
    "networks": {"default": {"name": "shop_default"}},
    "volumes": {"data": {"name": "shop_data"}},
    "secrets": {"key": {"file": "/opt/shop/key.txt"}},
}

CONTAINER: Document = {
    "Id": ID,
    "Name": "/shop-web-1",
    "Image": IMAGE_ID,
    "State": {"Status": "running"},
    "Config": {
        "Image": "shop:v1",
        "Hostname": ID[:12],
        "User": "app",
        "WorkingDir": "/srv",
        "Env": ["DATABASE=postgres", "NOT_SET", "DOLLARS=a$b", "PATH=/bin", "LANG=C.UTF-8"],
        "Cmd": ["serve"],
        "Entrypoint": ["/entry"],
        "Labels": {
            "team": "blue",
            "org.opencontainers.image.version": "1.0.0",
            "com.docker.compose.project": "shop",
            "com.docker.compose.service": "web",
            "com.docker.compose.config-hash": "aaaa",
        },
        "ExposedPorts": {"5100/tcp": {}, "9000/udp": {}},
        "Volumes": None,
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5_000_000_000},
        "StopSignal": "SIGINT",
        "StopTimeout": None,
    },
    "HostConfig": {
        "NetworkMode": "shop_default",
        "PortBindings": {
            "5100/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
            "9000/udp": [{"HostIp": "", "HostPort": ""}],
        },
        "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        "LogConfig": {"Type": "json-file", "Config": {}},
        "CapAdd": ["CAP_NET_ADMIN"],
        "CapDrop": None,
        "CgroupnsMode": "private",
        "IpcMode": "private",
        "Init": None,
        "Runtime": "runc",
        "ShmSize": 67108864,
        "PidsLimit": None,
        "MemorySwappiness": None,
        "Tmpfs": {"/tmp": "size=64k"},
        "Mounts": [{"Type": "volume", "Source": "shop_data", "Target": "/data", "VolumeOptions": {}}],
    },
    "Mounts": [
        {"Type": "volume", "Name": "shop_data", "Destination": "/data", "RW": True},
        {"Type": "bind", "Source": "/opt/shop/conf", "Destination": "/conf", "RW": False},
        {"Type": "bind", "Source": "/opt/shop/key.txt", "Destination": "/run/secrets/key", "RW": False},
        {"Type": "volume", "Name": VOLUME, "Destination": "/var/cache/app", "RW": True},
    ],
    "NetworkSettings": {"Networks": {"shop_default": {"Aliases": ["shop-web-1", "web", "www", ID[:12]]}}},
}


def web(project: Document) -> Document:
    service = project["services"]["web"]
    assert isinstance(service, dict)
    return service


def find(
    change_project: Change = lambda _: None,
    change_container: Change = lambda _: None,
    change_image: Change = lambda _: None,
    *,
    copies: int = 1,
    known: bool = True,
    ignored: frozenset[str] = frozenset(),
    services: tuple[str, ...] | None = None,
) -> list[Deviation]:
    project, container, image = copy.deepcopy((PROJECT, CONTAINER, IMAGE))
    change_project(project)
    change_container(container)
    change_image(image)
    return compare(
        Rendered.of(json.dumps(project), lambda path: path.replace("/linked", "/opt")),
        [ContainerSettings.model_validate(container)] * copies,
        {IMAGE_ID: ImageSettings.model_validate(image)} if known else {},
        gates=("shop_gate",),
        ignored=ignored,
        services=services,
    )


def say(**settings: object) -> Change:
    return lambda project: web(project).update(settings)


def config(**settings: object) -> Change:
    return lambda container: container["Config"].update(settings)


def host(**settings: object) -> Change:
    return lambda container: container["HostConfig"].update(settings)


def connect(network: str, **endpoint: object) -> Change:
    def change(container: Document) -> None:
        container["NetworkSettings"]["Networks"][network] = endpoint

    return change


def mount(**mounted: object) -> Change:
    return lambda container: container["Mounts"].append(mounted)


def nothing(_: Document) -> None:
    """Leave it as it is."""


DIFFERENCES: dict[str, tuple[Change, Change, str, str, str]] = {
    # what differs: project, container, item, what runs, what would be started
    "a volume that only runs": (
        nothing, mount(Type="volume", Name="shop_uploads", Destination="/uploads", RW=True),
        "mount /uploads", "volume shop_uploads", "",
    ),
    "a volume of another name": (
        lambda p: p["volumes"]["data"].update(name="other"), nothing, "mount /data", "volume shop_data", "volume other",
    ),
    "a volume that would be new": (
        lambda p: web(p)["volumes"].append({"type": "volume", "source": "data", "target": "/more"}), nothing,
        "mount /more", "", "volume shop_data",
    ),
    "a volume where the image has one without a name": (
        nothing,
        lambda c: c["Mounts"].__setitem__(3, {"Type": "volume", "Name": "kept", "Destination": "/var/cache/app"}),
        "mount /var/cache/app", "volume kept", "a volume without a name",
    ),
    "a bind of another folder": (
        lambda p: web(p)["volumes"][1].update(source="/opt/shop/other"), nothing,
        "mount /conf", "bind /opt/shop/conf (read-only)", "bind /opt/shop/other (read-only)",
    ),
    "a bind that could be written": (
        lambda p: web(p)["volumes"][1].pop("read_only"), nothing,
        "mount /conf", "bind /opt/shop/conf (read-only)", "bind /opt/shop/conf",
    ),
    "a bind in the place of a volume": (
        lambda p: web(p)["volumes"].__setitem__(0, {"type": "bind", "source": "/x", "target": "/data"}), nothing,
        "mount /data", "volume shop_data", "bind /x",
    ),
    "a file of a secret": (
        lambda p: p["secrets"]["key"].update(file="/opt/shop/new.txt"), nothing,
        "mount /run/secrets/key", "bind /opt/shop/key.txt (read-only)", "bind /opt/shop/new.txt (read-only)",
    ),
    "a tmpfs of another size": (say(tmpfs=["/tmp:size=1m"]), nothing, "mount /tmp", "tmpfs size=64k", "tmpfs size=1m"),
    "the name of a variable": (
        nothing, lambda c: c["Config"]["Env"].append("DEBUG=s3cret"),
        "environment variable DEBUG", "is set", "is not set",
    ),
    "the value of a variable": (
        say(environment={"DATABASE": "mysql", "DOLLARS": "a$$b"}), nothing,
        "environment variable DATABASE", "is set", "has another value",
    ),
    "a variable of the image set to something": (
        lambda p: web(p)["environment"].update(LANG="de"), nothing,
        "environment variable LANG", "is set", "has another value",
    ),
    "a variable of the shell that is passed on": (
        nothing, lambda c: c["Config"]["Env"].append("NOT_SET=1"),
        "environment variable NOT_SET", "is set", "is not set",
    ),
    "a label": (say(labels={"team": "red"}), nothing, "label team", "blue", "red"),
    "a label that is gone": (nothing, lambda c: c["Config"]["Labels"].pop("team"), "label team", "", "blue"),
    "a network": (nothing, connect("front", Aliases=["web"]), "network front", "connected", ""),
    "a network that was left": (
        nothing, lambda c: c["NetworkSettings"].update(Networks={}), "network shop_default", "", "connected",
    ),
    "an alias": (say(networks={"default": None}), nothing, "alias www in shop_default", "connected", ""),
    "the name of the service after a reconnection": (
        nothing, connect("shop_default", Aliases=["www"]), "alias web in shop_default", "", "connected",
    ),
    "an address": (
        say(networks={"default": {"aliases": ["www"], "ipv4_address": "172.20.0.9"}}), nothing,
        "address 172.20.0.9 in shop_default", "", "connected",
    ),
    "a MAC address": (
        say(mac_address="02:42:AC:11:00:09"),
        lambda c: c["NetworkSettings"]["Networks"]["shop_default"].update(MacAddress="02:42:ac:14:00:02"),
        "MAC address 02:42:ac:11:00:09", "", "connected",
    ),
    "a port of the host": (
        lambda p: web(p)["ports"][0].update(published="8081"),
        nothing, "port 5100/tcp", "127.0.0.1:8080", "127.0.0.1:8081",
    ),
    "who reaches a port": (
        lambda p: web(p)["ports"][0].pop("host_ip"), nothing, "port 5100/tcp", "127.0.0.1:8080", "8080",
    ),
    "a fixed port": (
        lambda p: web(p)["ports"][1].update(published="9000"), nothing, "port 9000/udp", "any free port", "9000",
    ),
    "a user": (say(user="1000"), nothing, "user", "app", "1000"),
    "a command": (say(command=["serve", "--debug"]), nothing, "command", "serve", "serve --debug"),
    "a command that the image has": (nothing, config(Cmd=["shell"]), "command", "shell", "serve"),
    "an entrypoint": (say(entrypoint=["/other"], command=["serve"]), nothing, "entrypoint", "/entry", "/other"),
    "an image": (say(image="shop:v2"), nothing, "image", "shop:v1", "shop:v2"),
    "a restart policy": (say(restart="on-failure:3"), nothing, "restart policy", "unless-stopped", "on-failure:3"),
    "a capability": (say(cap_add=["NET_ADMIN", "sys_time"]), nothing, "added capability SYS_TIME", "", "yes"),
    "a dropped capability": (nothing, host(CapDrop=["ALL"]), "dropped capability ALL", "yes", ""),
    "a health check": (
        say(healthcheck={"interval": "1m30s"}), nothing, "health check interval", "5 s", "90 s",
    ),
    "no health check": (say(healthcheck={"disable": True}), nothing, "health check", "CMD true", "none"),
    "a working directory": (say(working_dir="/"), nothing, "working directory", "/srv", "/"),
    "a host name": (nothing, config(Hostname="shop"), "host name", "shop", ""),
    "a host entry": (say(extra_hosts=["mail=10.0.0.1"]), nothing, "host entry mail", "", "10.0.0.1"),
    "a DNS server": (nothing, host(Dns=["1.1.1.1"]), "DNS servers", "1.1.1.1", ""),
    "a kernel parameter": (
        say(sysctls={"net.core.somaxconn": "1024"}), nothing, "kernel parameter net.core.somaxconn", "", "1024",
    ),
    "a limit of processes": (
        say(ulimits={"nofile": {"soft": 1, "hard": 2}}), nothing, "process limit nofile", "", "1:2",
    ),
    "privileges": (nothing, host(Privileged=True), "privileges", "yes", ""),
    "a read-only root": (say(read_only=True), nothing, "read-only root", "", "yes"),
    "a device": (
        say(devices=[{"source": "/dev/fuse", "target": "/dev/fuse", "permissions": "rwm"}]), nothing,
        "device /dev/fuse", "", "/dev/fuse (rwm)",
    ),
    "a security option": (
        say(security_opt=["no-new-privileges"]), nothing, "security option no-new-privileges=true", "", "yes",
    ),
    "an init process": (nothing, host(Init=True), "init process", "yes", ""),
    "shared memory": (say(shm_size="134217728"), nothing, "shared memory", "", "134217728"),
    "a stop signal": (say(stop_signal="SIGTERM"), nothing, "stop signal", "INT", "TERM"),
    "a grace period": (nothing, config(StopTimeout=30), "grace period", "30 s", ""),
    "a log driver": (say(logging={"driver": "journald"}), nothing, "log driver", "json-file", "journald"),
    "a log option": (
        nothing, host(LogConfig={"Type": "json-file", "Config": {"max-size": "1m"}}), "log option max-size", "1m", "",
    ),
    "a memory limit": (
        say(deploy={"resources": {"limits": {"memory": "1048576"}}}), nothing, "memory limit", "", "1048576",
    ),
    "CPUs": (nothing, host(NanoCpus=500_000_000), "CPUs", "0.5", ""),
    "the network of the host": (
        lambda p: (web(p).update(network_mode="host"), web(p).pop("networks"), web(p).pop("ports")), nothing,
        "network mode", "", "host",
    ),
    "the processes of the host": (nothing, host(PidMode="host"), "PID mode", "host", ""),
    "shared IPC": (say(ipc="host"), nothing, "IPC mode", "", "host"),
    "a group": (say(group_add=["99"]), nothing, "group 99", "", "yes"),
    "a name of the container": (nothing, lambda c: c.update(Name="/renamed"), "container name", "renamed", ""),
    "a service that is not in the files": (lambda p: p["services"].update(other=p["services"].pop("web")), nothing,
        "service", "it runs", ""),
    "a number of containers": (say(deploy={"replicas": 2}), nothing, "replicas", "1", "2"),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_setting_that_differs_is_named_with_both_values(name: str) -> None:
    change_project, change_container, item, running, rendered = DIFFERENCES[name]
    found = {one.item: one for one in (d.to_difference() for d in find(change_project, change_container))}
    assert item in found, found
    assert (found[item].service, found[item].running, found[item].rendered) == ("web", running, rendered)
    follow = {"network", "alias", "port", "exposed"}  # of what was changed as a whole
    assert {one.partition(" ")[0] for one in found} <= {item.partition(" ")[0], *follow}


def test_what_a_variable_is_set_to_is_never_told() -> None:
    found = find(say(environment={"DATABASE": "n3w"}), lambda c: c["Config"]["Env"].append("DEBUG=s3cret"))
    assert "s3cret" not in repr([one.to_difference() for one in found])
    assert "n3w" not in " ".join(str(one.to_difference()) for one in found)


ALIKE: dict[str, tuple[Change, Change, Change]] = {
    "everything as Compose makes it": (nothing, nothing, nothing),
    "what Docker's client adds for a proxy": (
        nothing, lambda c: c["Config"]["Env"].append("https_proxy=http://proxy"), nothing,
    ),
    "labels of Compose and of Docker Desktop": (
        nothing, lambda c: c["Config"]["Labels"].update({"com.docker.compose.version": "1.29",
        "desktop.docker.io/x": ""}),
        nothing,
    ),
    "a range of ports": (
        lambda p: web(p)["ports"].append({"target": 99, "published": "8100-8110", "protocol": "tcp"}),
        lambda c: (
            c["HostConfig"]["PortBindings"].update({"99/tcp": [{"HostIp": "", "HostPort": "8100-8110"}]}),
            c["Config"]["ExposedPorts"].update({"99/tcp": {}}),
        ),
        nothing,
    ),
    "another order": (
        lambda p: web(p).update(cap_add=["B", "A"], dns_opt=[]),
        host(CapAdd=["CAP_A", "CAP_B"], DnsOptions=[]),
        nothing,
    ),
    "the network that an upgrade has left": (nothing, connect("shop_gate", Aliases=["anything"]), nothing),
    "an address that the engine has made": (
        nothing,
        lambda c: c["NetworkSettings"]["Networks"]["shop_default"].update(MacAddress="02:42:ac:14:00:02"),
        nothing,
    ),
    "a folder by a link": (lambda p: web(p)["volumes"][1].update(source="/linked/shop/conf"), nothing, nothing),
    "the name of an earlier Compose": (nothing, lambda c: c.update(Name="/shop_web_1"), nothing),
    "the name of a container that was replaced": (
        nothing, lambda c: c.update(Name="/0123456789ab_shop-web-1"), nothing,
    ),
    "an image that is built here": (lambda p: web(p).pop("image"), config(Image="shop_web"), nothing),
    "the default log driver said": (say(logging={"driver": "json-file"}), nothing, nothing),
    "defaults said": (
        say(restart="unless-stopped", privileged=False, shm_size="67108864", ipc="private", runtime="runc", cpus=0,
            working_dir="/srv", user="app", stop_signal="INT"),
        nothing, nothing,
    ),
    "swap as the engine derives it": (
        say(mem_limit="1048576"), host(Memory=1048576, MemorySwap=2097152), nothing,
    ),
    "limits under deploy": (
        say(deploy={"resources": {"limits": {"cpus": 0.25, "memory": "1048576", "pids": 5},
                                  "reservations": {"memory": "524288"}}}),
        host(NanoCpus=250_000_000, Memory=1048576, MemorySwap=2097152, PidsLimit=5, MemoryReservation=524288),
        nothing,
    ),
    "a policy under deploy": (
        say(deploy={"restart_policy": {"condition": "on-failure", "max_attempts": 3}}),
        host(RestartPolicy={"Name": "on-failure", "MaximumRetryCount": 3}), nothing,
    ),
    "the label that the engine adds for the host's processes": (
        say(pid="host"), host(PidMode="host", SecurityOpt=["label=disable"]), nothing,
    ),
    "control groups as the host has them": (nothing, host(CgroupnsMode="host"), nothing),
    "an image without a command": (
        say(entrypoint=["/x"]), config(Entrypoint=["/x"], Cmd=None), lambda i: i["Config"].update(Cmd=None),
    ),
    "an image's entrypoint that is cleared": (
        say(entrypoint=[], command=["run"]), config(Entrypoint=None, Cmd=["run"]), nothing,
    ),
    "a health check that says less than the image": (
        say(healthcheck={"retries": 3}),
        config(Healthcheck={"Test": ["CMD", "true"], "Interval": 5_000_000_000, "Retries": 3}), nothing,
    ),
    "a setting without an effect on containers": (
        say(pull_policy="always", build={"context": "."}, depends_on={"db": {"condition": "service_started"}},
            profiles=["x"], scale=1), nothing, nothing,
    ),
    "links with the names that Compose adds": (
        say(links=["db:database"]),
        connect("shop_default", Aliases=["web", "www"],
                Links=["shop-db-1:database", "shop-db-1:db-1", "shop-db-1:shop-db-1"]), nothing,
    ),
    "a container of the host's network": (
        lambda p: (web(p).update(network_mode="host"), web(p).pop("networks")),
        lambda c: (c["HostConfig"].update(NetworkMode="host"), c["Config"].update(Hostname="server"),
                   c["NetworkSettings"].update(Networks={"host": {}})), nothing,
    ),
    "volumes of another service": (
        lambda p: (web(p).update(volumes_from=["files:ro"]),
                   p["services"].update(files={
                   "volumes": [{"type": "volume", "source": "data", "target": "/shared"}]})),
        mount(Type="volume", Name="shop_data", Destination="/shared", RW=True), nothing,
    ),
    "a tmpfs over a volume of the image": (
        say(tmpfs=["/tmp:size=64k", "/var/cache/app"]),
        lambda c: (c["Mounts"].pop(), c["HostConfig"]["Tmpfs"].update({"/var/cache/app": ""})), nothing,
    ),
    "a service that was stopped": (
        say(image="shop:v2"), lambda c: c["State"].update(Status="exited"), nothing,
    ),
    "an alias that is the container's own name": (
        say(container_name="till", networks={"default": {"aliases": ["www", "till"]}}),
        lambda c: (c.update(Name="/till"), connect("shop_default", Aliases=["till", "web", "www"])(c)), nothing,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ALIKE)
def test_what_nobody_has_changed_is_no_difference(name: str) -> None:
    assert [one.to_difference() for one in find(*ALIKE[name])] == []


def test_more_containers_than_would_be_started_are_a_difference() -> None:
    (found,) = find(copies=3)
    assert str(found.to_difference()) == "web: replicas: 3 now, 1 after a start"


def test_one_difference_of_several_containers_is_told_once() -> None:
    assert len(find(say(user="1000", scale=3), copies=3)) == 1


def test_what_an_image_that_is_gone_has_said_is_no_difference() -> None:
    assert find(known=False) == []
    assert [str(one.item) for one in find(say(user="1000"), known=False)] == ["user"]


def test_what_a_closed_gate_holds_back_does_not_count() -> None:
    def change(container: Document) -> None:
        container["NetworkSettings"]["Networks"] = {"shop_gate": {}}
        container["HostConfig"]["RestartPolicy"] = {"Name": "no"}

    assert {one.item.kind for one in find(nothing, change)} == {"network", "alias", "restart policy"}
    assert find(nothing, change, ignored=BEHIND_GATE) == []
    assert find(say(image="shop:v2"), services=("other",)) == []


def test_what_can_be_changed_on_a_container_is_not_answered_by_a_hash_of_its_files() -> None:
    hashed = {str(one.item) for name in DIFFERENCES for one in find(*DIFFERENCES[name][:2]) if one.is_hashed}
    free = {str(one.item) for name in DIFFERENCES for one in find(*DIFFERENCES[name][:2]) if not one.is_hashed}
    assert {"user", "command", "label team", "port 5100/tcp", "mount /uploads"} <= hashed
    assert {"network front", "replicas", "restart policy", "memory limit", "CPUs", "service"} <= free
