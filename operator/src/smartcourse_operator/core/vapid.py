"""Keys for Web Push (VAPID, RFC 8292): the curve P-256, each key as base64url of its raw bytes, without padding.

Written out here, for nothing else in the operator's image knows the curve, and it takes little to make one key in a
platform's life. It does not run in constant time: who could time it can read the Secret as well.
"""

from __future__ import annotations

import base64
import hashlib

Point = tuple[int, int]

# SEC 2, section 2.4.2 (secp256r1): field, coefficient a, order, base point.
FIELD = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
A = FIELD - 3
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
SIZE_BYTES = 32


def private_key(randomness: str) -> str:
    """Return the private key that `randomness`, a text of at least 256 bits of it, amounts to."""
    digest = hashlib.sha512(randomness.encode()).digest()  # 512 bits, so that the remainder favours no key
    return encode((int.from_bytes(digest) % (ORDER - 1) + 1).to_bytes(SIZE_BYTES))


def public_key(private: str) -> str:
    """Return the public key of a private one: the uncompressed point, 65 bytes.

    Raises:
        ValueError: `private` is no private key.
    """
    raw = base64.b64decode(private + "=" * (-len(private) % 4), altchars=b"-_", validate=True)
    number = int.from_bytes(raw)
    if len(raw) != SIZE_BYTES or not 0 < number < ORDER:
        raise ValueError("not a private key of P-256")
    x, y = multiply(number)
    return encode(b"\x04" + x.to_bytes(SIZE_BYTES) + y.to_bytes(SIZE_BYTES))


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def multiply(number: int) -> Point:
    """Return the base point taken `number` times, of 1 to ORDER - 1, by doubling and adding."""
    result: Point = BASE
    for bit in f"{number:b}"[1:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, BASE)
    return result


def add(one: Point, other: Point) -> Point:
    """Return the sum of two points. Opposite points, whose sum has no coordinates, do not meet in `multiply`."""
    (x, y), (other_x, other_y) = one, other
    rise, run = (3 * x * x + A, 2 * y) if one == other else (other_y - y, other_x - x)
    slope = rise * pow(run, -1, FIELD)
    sum_x = (slope * slope - x - other_x) % FIELD
    return sum_x, (slope * (x - sum_x) - y) % FIELD
