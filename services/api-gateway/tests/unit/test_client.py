"""The client's address as a key."""

from __future__ import annotations

import pytest

from api_gateway.middleware.client import address_key


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
