"""Dependencies of an app, by the names in its settings and its networks."""

import json

import pytest

from orchestrator.adapters.compose.trial_dependencies import Needs, find_needs

CACHE: dict[str, object] = {"image": "redis", "networks": {"default": None}}


def find(app: dict[str, object], running: tuple[str, ...] = ("cache", "queue"), **others: dict[str, object]) -> Needs:
    services = {"app": {"image": "a", "networks": {"default": None}, **app}, "cache": CACHE, **others}
    return find_needs(json.dumps({"name": "p", "services": services}), ("app",), running)


@pytest.mark.parametrize(
    "naming",
    [
        {"environment": {"REDIS_URL": "redis://cache:6379/0"}},
        {"environment": {"REDIS_URL": "redis://:secret@cache/0"}},
        {"environment": {"CACHE_HOST": "cache"}},
        {"environment": {"CACHE_HOST": "Cache"}},
        {"environment": {"NODES": "one:11211,cache:11211"}},
        {"environment": {"DSN": "host=cache port=6379"}},
        {"command": ["serve", "--cache=cache:6379"]},
        {"entrypoint": ["wait-for", "cache:6379"]},
        {"links": ["cache:store"]},
    ],
)
def test_service_is_needed_when_the_app_names_its_host(naming: dict[str, object]) -> None:
    assert find(naming).found == ("cache",)


@pytest.mark.parametrize(
    "naming",
    [
        {},
        {"environment": {"CACHE_DIR": "/var/cache"}},
        {"environment": {"CACHE_CLASS": "my.cache.Backend"}},
        {"environment": {"CACHE_HOST": "cache-2"}},
        {"environment": {"CACHE_HOST": "cache.example.org"}},
        {"environment": {"cache": "yes"}},
        {"environment": {"CACHE_HOST": "cache"}, "networks": {"back": None}},
    ],
)
def test_service_is_not_needed_when_it_is_not_named_as_a_host_or_not_in_reach(naming: dict[str, object]) -> None:
    assert find(naming) == Needs()


@pytest.mark.parametrize(
    "names",
    [
        {"container_name": "the-store"},
        {"hostname": "the-store"},
        {"networks": {"default": {"aliases": ["the-store"]}}},
    ],
)
def test_service_is_known_by_all_its_names(names: dict[str, object]) -> None:
    cache = {**CACHE, **names}
    assert find({"environment": {"X": "tcp://the-store:1"}}, cache=cache).found == ("cache",)


def test_needs_of_what_is_needed_are_needed_too() -> None:
    queue = {**CACHE, "environment": {"STORE": "cache:6379"}}
    assert find({"environment": {"AMQP": "amqp://queue"}}, queue=queue).found == ("queue", "cache")
    assert find({"environment": {"AMQP": "amqp://queue"}}, queue={**CACHE, "depends_on": {"cache": {}, "app": {}}}) == (
        Needs(("queue", "cache"))
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"privileged": True}, "it has `privileged`"),
        ({"network_mode": "host", "networks": {"default": None}}, "it has `network_mode`"),
        ({"pid": "host"}, "it has `pid`"),
        ({"devices": ["/dev/dri"]}, "it has `devices`"),
        ({"volumes": [{"type": "bind", "source": "/var/run/docker.sock"}]}, "the engine's socket"),
        ({"ports": [{"published": "443", "target": 443}]}, "the ports of the web"),
    ],
)
def test_service_that_could_do_harm_is_left_out_and_told(words: dict[str, object], why: str) -> None:
    needs = find({"environment": {"X": "cache"}}, cache={**CACHE, **words})
    assert needs.found == ()
    assert why in needs.left_out["cache"]
    assert needs.left_out["cache"].startswith("app names it, but ")


def test_service_that_does_not_run_is_left_out_and_told() -> None:
    assert find({"environment": {"X": "cache"}}, running=()).left_out == {"cache": "app names it, but it does not run"}


def test_number_of_services_is_bounded() -> None:
    others = {f"s{number}": CACHE for number in range(20)}
    needs = find({"environment": {"ALL": ",".join(others)}}, running=tuple(others), **others)
    assert (len(needs.found), len(needs.left_out)) == (8, 12)
