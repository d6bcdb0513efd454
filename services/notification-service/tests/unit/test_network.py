"""Which addresses a stranger may make the service connect to."""

import pytest

from notification_service.core.network import is_public, refusal


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_public_addresses_are_public_in_every_notation(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "192.0.2.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "2002:7f00:1::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_everything_else_is_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("https://[::1", "it is not a URL"),
        ("https://host:port/", "it is not a URL"),
        ("https:///x", "it names no host"),
        ("https://ada@8.8.8.8/x", "it carries credentials"),
        ("http://8.8.8.8/x", "it does not begin with https://"),
        ("https://127.0.0.1/x", "its host is not on the public internet"),
        ("https://8.8.8.8/x", None),
        ("https://push.invalid/x", None),
    ],
)
async def test_endpoints_are_judged_by_what_is_known(endpoint: str, reason: str | None) -> None:
    assert await refusal(endpoint, allow_private=False) == reason


async def test_tests_may_allow_what_is_private_but_not_what_is_nonsense() -> None:
    assert await refusal("http://127.0.0.1:9/x", allow_private=True) is None
    assert await refusal("https://ada:secret@127.0.0.1/x", allow_private=True) == "it carries credentials"
