"""The client's address, and it as a key for rate limits."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

from api_gateway.config import Network

_LONGEST: Final = 45
"""Characters of the longest IPv6 address."""


def client_address(forwarded_for: str, trusted: tuple[Network, ...]) -> str:
    """Return, as nginx does, the last of these addresses that is no trusted proxy's; where all are, the first."""
    address = ""
    for part in reversed(forwarded_for.split(",")):
        address = part.strip()
        if len(address) > _LONGEST:
            return ""
        if not _is_within(address, trusted):
            break
    return address


@lru_cache(maxsize=10_000)
def _is_within(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


@lru_cache(maxsize=10_000)
def address_key(address: str) -> str:
    """Return `address`, or for IPv6 its /64: one subscriber has at least that many addresses to choose from.

    A trusted proxy's address has already been replaced by that of the client behind it.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)
