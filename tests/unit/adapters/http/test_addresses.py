"""Where an address leads."""

from ipaddress import ip_address

import pytest

from orchestrator.adapters.http.addresses import Zone, choose_admitted, find_zone, is_loopback, is_private_address


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("http://172.18.0.3:5100/health", True),
        ("http://[fd00::3]:5100/", True),
        ("http://127.0.0.1/", True),
        ("http://93.184.216.34/", False),
        ("http://app.internal/", False),
        ("", False),
    ],
)
def test_only_a_literal_address_of_a_private_network_needs_no_proxy(url: str, private: bool) -> None:
    assert is_private_address(url) is private


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.1/", True),
        ("http://0x7f000001/", True),
        ("http://0x7f.1/", True),
        ("http://2130706433/", True),
        ("http://0177.0.0.1/", True),
        ("http://0/", True),
        ("http://0.0.0.0/", True),
        ("http://[::]/", True),
        ("http://[::ffff:127.0.0.1]/", True),
        ("http://[::ffff:7f00:1]/", True),
        ("http://[64:ff9b::7f00:1]/", True),
        ("http://[2002:7f00:1::]/", True),
        ("http://[::127.0.0.1]/", True),
        ("http://localhost./", True),
        ("http://app.localhost/", True),
        ("http://128.1/", False),
        ("http://127.example.org/", False),
        ("http://0x7f.example.org/", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_this_machine_is_known_however_it_is_written(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


@pytest.mark.parametrize(
    ("address", "zone"),
    [
        ("93.184.216.34", Zone.PUBLIC),
        ("2606:2800:220:1::1", Zone.PUBLIC),
        ("10.0.0.1", Zone.PRIVATE),
        ("fd00::1", Zone.PRIVATE),
        ("100.64.0.1", Zone.PRIVATE),
        ("127.8.8.8", Zone.LOOPBACK),
        ("::1", Zone.LOOPBACK),
        ("169.254.169.254", Zone.FORBIDDEN),
        ("::ffff:169.254.169.254", Zone.FORBIDDEN),
        ("fe80::1", Zone.FORBIDDEN),
        ("fd00:ec2::254", Zone.FORBIDDEN),
        ("100.100.100.200", Zone.FORBIDDEN),
        ("224.0.0.1", Zone.FORBIDDEN),
    ],
)
def test_an_address_is_in_its_zone(address: str, zone: Zone) -> None:
    assert find_zone(ip_address(address)) is zone


@pytest.mark.parametrize(
    ("asker", "wanted", "chosen"),
    [
        ("93.184.216.34", ["127.0.0.1"], None),
        ("93.184.216.34", ["10.0.0.1"], None),
        ("93.184.216.34", ["10.0.0.1", "93.184.216.35"], "93.184.216.35"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["127.0.0.1"], None),
        ("127.0.0.1", ["127.0.0.1"], "127.0.0.1"),
        ("127.0.0.1", ["169.254.169.254"], None),
        ("169.254.1.1", ["169.254.169.254"], None),
        ("93.184.216.34", [], None),
    ],
)
def test_redirect_to_a_nearer_zone_is_refused(asker: str, wanted: list[str], chosen: str | None) -> None:
    found = choose_admitted(map(ip_address, wanted), [ip_address(asker)])
    assert found == (ip_address(chosen) if chosen else None)
