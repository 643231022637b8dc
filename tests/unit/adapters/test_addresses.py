"""Where an address leads."""

import pytest

from orchestrator.adapters.addresses import is_private_address


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
