"""Headers of a request to a container's own address name the address that users ask."""

import pytest

from orchestrator.adapters.http.asked_address import build_headers


@pytest.mark.parametrize(
    ("asked", "host", "scheme", "port"),
    [
        ("http://localhost:8080/health", "localhost:8080", "http", "8080"),
        ("http://shop.example/health", "shop.example", "http", "80"),
        ("http://shop.example:80/", "shop.example", "http", "80"),
        ("https://shop.example/", "shop.example", "https", "443"),
        ("https://shop.example:443/", "shop.example", "https", "443"),
        ("https://shop.example:80/", "shop.example:80", "https", "80"),
        ("https://Shop.Example:8443/", "shop.example:8443", "https", "8443"),
        ("http://[::1]:8080/", "[::1]:8080", "http", "8080"),
        ("http://[fe80::1%25eth0]/", "[fe80::1]", "http", "80"),
        ("http://ana:secret@shop.example:8080/", "shop.example:8080", "http", "8080"),
        ("https://käse.example/", "xn--kse-qla.example", "https", "443"),
    ],
)
def test_headers_name_the_address_as_a_browser_and_a_proxy_do(asked: str, host: str, scheme: str, port: str) -> None:
    assert build_headers(asked) == {
        "Host": host,
        "X-Forwarded-Host": host,
        "X-Forwarded-Proto": scheme,
        "X-Forwarded-Port": port,
    }


@pytest.mark.parametrize("asked", ["", "shop.example", "ftp://shop.example/", "http://", "http://[", "http://a:99999/"])
def test_headers_are_refused_without_an_address_of_http(asked: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        build_headers(asked)
