"""The client's address as a key for rate limits."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=10_000)
def address_key(address: str) -> str:
    """Return `address`, or for IPv6 its /64: one subscriber has at least that many addresses to choose from.

    nginx has already replaced a trusted proxy's address by that of the client behind it.
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
