"""The client's address, and it as a key."""

from __future__ import annotations

import ipaddress

import pytest

from api_gateway.middleware.client import address_key, client_address


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("unix:", "unknown"),
        ("", "unknown"),
    ],
)
def test_an_address_becomes_a_key_that_one_subscriber_cannot_multiply(address: str, key: str) -> None:
    assert address_key(address) == key


TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("forwarded_for", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9,10.1.2.3", "203.0.113.9"),
        ("2001:db8::7, fd00::1, 10.0.0.1", "2001:db8::7"),
        ("10.0.0.1, 10.0.0.2", "10.0.0.1"),
        ("203.0.113.9, nonsense, 10.0.0.2", "nonsense"),
        ("203.0.113.9, " + "x" * 46, ""),
        ("", ""),
    ],
)
def test_the_client_is_the_last_who_is_no_trusted_proxy(forwarded_for: str, address: str) -> None:
    assert client_address(forwarded_for, TRUSTED) == address
