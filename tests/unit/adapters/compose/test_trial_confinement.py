"""Access of a container on a stage to the host, and the report of missing parts."""

import pytest

from orchestrator.adapters.compose.trial_confinement import (
    Sight,
    build_rights,
    find_limits,
    is_looked_at,
    mount_from_host,
)
from orchestrator.adapters.compose.trial_host_scan import read_sights

DATA = "/srv/data"


def bind(source: str, target: str, **more: bool) -> dict[str, object]:
    return {"type": "bind", "source": source, "target": target, "read_only": True, **more}


@pytest.mark.parametrize(
    "source",
    [
        *("/", "/proc", "/sys/fs/cgroup", "/dev", "/dev/dri", "/run", "/run/user/1000", "/var/run", "/var"),
        *("/var/run/docker.sock", "/run/docker.sock", "/run/containerd", "/srv/../run/docker.sock"),
    ],
)
def test_path_of_the_system_stays_outside_whatever_a_look_has_shown(source: str) -> None:
    assert mount_from_host(source, "/x", {source: Sight()}) == []
    assert not is_looked_at(source)


@pytest.mark.parametrize(
    ("sight", "mounts"),
    [
        (Sight(), [bind(DATA, "/data")]),
        (Sight(is_folder=False), [bind(DATA, "/data")]),
        (Sight(is_folder=False, doors=(".",)), []),
        (Sight(is_folder=False, doors=None), []),
        (Sight(doors=None), [{"type": "volume", "target": "/data"}]),
        (
            Sight(doors=("a.sock", "run/b")),
            [bind(DATA, "/data"), *(bind("/dev/null", f"/data/{d}") for d in ("a.sock", "run/b"))],
        ),
        (Sight(doors=tuple(map(str, range(17)))), [{"type": "volume", "target": "/data"}]),
    ],
)
def test_path_of_the_host_is_for_reading_with_its_doors_covered(sight: Sight, mounts: list[object]) -> None:
    assert mount_from_host(DATA, "/data", {DATA: sight}) == mounts


def test_path_that_nobody_could_look_at_is_an_empty_folder() -> None:
    assert mount_from_host(DATA, "/data", {}) == [{"type": "volume", "target": "/data"}]


@pytest.mark.parametrize(
    "right",
    ["NET_ADMIN", "CAP_NET_RAW", "SYS_ADMIN", "ALL", "all", "DAC_READ_SEARCH", "SYS_MODULE", "BPF", "SYS_PTRACE"],
)
def test_rights_that_reach_out_are_taken_away(right: str) -> None:
    rights = build_rights({"cap_add": [right, "CHOWN", "cap_kill"]})
    assert rights == {"cap_add": ["CHOWN", "cap_kill"], "cap_drop": ["NET_RAW", "NET_ADMIN"]}


def test_settings_of_the_network_and_privileged_hooks_are_taken_away() -> None:
    rights = build_rights(
        {
            "sysctls": {
                "net.ipv6.conf.eth0.disable_ipv6": "0",
                "net.core.somaxconn": "1024",
                "net.ipv4.ip_forward": "1",
            },
            "post_start": [{"command": ["x"], "privileged": True}],
        }
    )
    assert rights["sysctls"] == {"net.core.somaxconn": "1024"}
    assert rights["post_start"] == [{"command": ["x"], "privileged": False}]


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ({"volumes": [{"type": "volume", "source": "data", "target": "/d"}]}, "the volume data at /d of app is empty"),
        ({"volumes": [bind(DATA, "/d", read_only=False)]}, "/srv/data at /d of app can only be read"),
        ({"volumes": [bind(DATA, "/d")]}, ""),
        ({"volumes": [bind("/srv/own", "/own/cache")]}, "/own/cache of app is empty"),
        ({"volumes": [bind("/run", "/r")]}, "/run of this host is not there for app"),
        ({"volumes": [bind("/srv/big", "/b")]}, "/b of app is empty, because /srv/big could not be looked through"),
        ({"privileged": True}, "app is without `privileged`"),
        ({"network_mode": "host"}, "app is without `network_mode: host`"),
        ({"network_mode": "service:db"}, ""),
        ({"cap_add": ["SYS_ADMIN", "CHOWN"]}, "app is without the rights SYS_ADMIN"),
        ({"extra_hosts": ["host.docker.internal=host-gateway"]}, "app does not reach this host"),
    ],
)
def test_limits_name_what_is_lacking(service: dict[str, object], told: str) -> None:
    found = find_limits("app", service, {DATA: Sight()}, ("/own",))  # type: ignore[arg-type]
    assert [one.startswith(told) for one in found] == ([True] if told else [])


def test_look_is_read_by_path() -> None:
    said = (
        "/look/0/a b.sock\0/look/0/x/y\0=0 0 folder\0/look/1\0=1 0 file\0=2 124 folder\0/look/3/\ufffd\0=3 0 folder\0"
    )
    assert read_sights(said, ["/a", "/b", "/c", "/d"]) == {
        "/a": Sight(doors=("a b.sock", "x/y")),
        "/b": Sight(is_folder=False, doors=(".",)),
        "/c": Sight(doors=None),
        "/d": Sight(doors=None),
    }


def test_look_that_broke_off_leaves_paths_unknown() -> None:
    assert read_sights("/look/0/a.sock\0", ["/a"]) == {}
    assert read_sights("", ["/a"]) == {}
