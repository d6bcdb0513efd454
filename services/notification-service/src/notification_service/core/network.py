"""Addresses that a stranger may make this service connect to: public ones and no others."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

RESOLVE_TIMEOUT_SECONDS = 2.0

_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether ``address`` (numeric) is on the public internet, whichever IPv6 notation wraps an IPv4 address."""
    parsed = _inner(ip_address(address.partition("%")[0]))
    return parsed.is_global and not parsed.is_multicast


async def refusal(endpoint: str, *, allow_private: bool) -> str | None:
    """Why nothing is sent to ``endpoint``, or None.

    A name that cannot be resolved at present passes: whoever connects checks the address it really gets.
    """
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "it is not a URL"
    if not host:
        return "it names no host"
    if parts.username is not None or parts.password is not None:
        return "it carries credentials"
    if allow_private:
        return None
    if parts.scheme != "https":
        return "it does not begin with https://"
    if not all(map(is_public, await _resolve(host, port or 443))):
        return "its host is not on the public internet"
    return None


async def _resolve(host: str, port: int) -> list[str]:
    """Numeric addresses; none if the name is unknown or nobody answers in time."""
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # OSError includes TimeoutError; UnicodeError: no host name at all
        return []
    return [str(address[0]) for *_, address in found]


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)
