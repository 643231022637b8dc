"""The description of the API is true: 2,000 requests, made from it and around it, and every answer held against it."""

import json
import random
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator, FormatChecker

from orchestrator.core.errors import ReleaseError
from orchestrator.core.model.releases import Release
from tests.tools.clock import FakeClock
from tests.tools.feed import FakeFeed, unreachable
from webapi import version_blueprint
from webapi.blueprint import read_description

SEEDS = range(40)
REQUESTS_OF_A_SEED = 50

DESCRIPTION: dict[str, Any] = json.loads(read_description())
PATHS = sorted(DESCRIPTION["paths"])
_VERSIONS = ("v1.3.0", "1.2.0", "v2.0.0-rc.1", "nightly", "2024.05.01", "v1")
_URLS = ("", "https://example.org/x", "http://example.org")
_HEADERS = ("If-None-Match", "Accept", "Host", "X-Forwarded-Host", "Sec-Fetch-Site", "Range", "Cookie")
_METHODS = ("GET", "GET", "GET", "HEAD", "OPTIONS", "POST", "DELETE", "PUT")
_PROBLEMS = (
    None,
    None,
    unreachable(),
    ReleaseError("releases.rate_limited", "Too many."),
    ReleaseError("releases.hostile", "Not JSON."),
)


class Dice:
    """Everything that a client, a source or an operator could come up with; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def text(self, longest: int = 40, highest: int = 0x10FFFF) -> str:
        some = (self._random.choice((0x7F, 0xFF, highest)) for _ in range(self._random.randint(0, longest)))
        return "".join(chr(code) for top in some if not 0xD800 <= (code := self._random.randint(0x20, top)) <= 0xDFFF)

    def releases(self) -> list[Release]:
        return [
            Release(
                version=self._random.choice(_VERSIONS),
                notes=self.text(200),
                url=self._random.choice(_URLS),
                prerelease=self._random.random() < 0.2,
                draft=self._random.random() < 0.2,
            )
            for _ in range(self._random.randint(0, 4))
        ]

    def current(self) -> str | None:
        return self._random.choice((None, self.text(), *_VERSIONS))

    def request(self) -> dict[str, Any]:
        values = ("true", "true", "false", "", self.text())
        query = {self.text(): self.text() for _ in range(self._random.randint(0, 2))}
        if self._random.random() < 0.5:
            query["force"] = self._random.choice(values)
        names = self._random.sample(_HEADERS, self._random.randint(0, 3))
        return {
            "method": self._random.choice(_METHODS),
            "path": self._random.choice(PATHS),
            "query_string": query,
            "headers": {name: self.text(30, 0xFF) for name in names},
        }

    def problem(self) -> ReleaseError | None:
        return self._random.choice(_PROBLEMS)

    def seconds(self) -> int:
        return self._random.choice((0, 1, 61, 20_000))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_answer_is_as_described(seed: int) -> None:
    dice = Dice(seed)
    feed, clock = FakeFeed(*dice.releases()), FakeClock()
    app = Flask("host")
    app.register_blueprint(version_blueprint(feed, current=dice.current(), clock=clock))
    client = app.test_client()
    for _ in range(REQUESTS_OF_A_SEED):
        feed.error = dice.problem()
        clock.advance(dice.seconds())
        request = dice.request()
        answer = client.open(**request)
        assert answer.status_code < 500 or answer.status_code == 503
        if request["method"] == "GET":
            assert_described(request["path"], answer.status_code, answer.mimetype or "", answer.data)


def test_the_description_is_served_as_it_is() -> None:
    app = Flask("host")
    app.register_blueprint(version_blueprint(FakeFeed()))
    assert app.test_client().get("/api/openapi.json").get_json() == DESCRIPTION


def test_every_route_is_described() -> None:
    app = Flask("host")
    app.register_blueprint(version_blueprint(FakeFeed()))
    rules = {rule.rule for rule in app.url_map.iter_rules() if "<" not in rule.rule}
    assert rules == set(PATHS)


def assert_described(path: str, status: int, mimetype: str, body: bytes) -> None:
    """Raise unless the description knows this answer to GET."""
    responses = DESCRIPTION["paths"][path]["get"]["responses"]
    assert str(status) in responses
    response = _resolve(responses[str(status)])
    if "content" not in response:
        assert body == b""
        return
    assert mimetype in response["content"]
    _validator(path, status, mimetype).validate(json.loads(body))


@cache
def _validator(path: str, status: int, mimetype: str) -> Draft202012Validator:
    schema = _resolve(DESCRIPTION["paths"][path]["get"]["responses"][str(status)])["content"][mimetype]["schema"]
    return Draft202012Validator({**schema, "components": DESCRIPTION["components"]}, format_checker=FormatChecker())


def _resolve(response: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = response.get("$ref")
    if reference is None:
        return response
    found: Mapping[str, Any] = DESCRIPTION["components"]["responses"][reference.rpartition("/")[2]]
    return found
