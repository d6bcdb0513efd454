"""HTTP/2 as no client library would speak it (RFC 9113): one stream a connection, header fields as they are given.

Fields are sent as literals (RFC 7541, 6.2.2); of an answer's only the status is read, which is the first.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

Field = tuple[bytes, bytes]

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_STATUSES: Final = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
"""Of the static table (RFC 7541, appendix A)."""
_DIGITS: Final = {"00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4", "011011": "5", "011100": "6",
                  "011101": "7", "011110": "8", "011111": "9"}  # fmt: skip
"""Huffman's code (RFC 7541, appendix B)."""


@dataclass(frozen=True)
class Answer:
    """`status` is None where the stream or the connection was ended without one."""

    status: int | None
    body: bytes


def exchange(
    port: int, fields: Sequence[Field], data: bytes, trailers: Sequence[Field] = (), *, tls: ssl.SSLContext | None
) -> Answer:
    """Send one request over a connection of its own and return what it was answered."""
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        if tls:
            connection = stack.enter_context(tls.wrap_socket(connection, server_hostname="localhost"))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(PREFACE + _frame(SETTINGS, 0, 0, b"") + b"".join(_request(fields, data, trailers)))
        return _read(connection)


def _request(fields: Sequence[Field], data: bytes, trailers: Sequence[Field]) -> Iterator[bytes]:
    yield _frame(HEADERS, END_HEADERS | (0 if data or trailers else END_STREAM), 1, _literals(fields))
    if data:
        yield _frame(DATA, 0 if trailers else END_STREAM, 1, data)
    if trailers:
        yield _frame(HEADERS, END_HEADERS | END_STREAM, 1, _literals(trailers))


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _literals(fields: Sequence[Field]) -> bytes:
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def _text(raw: bytes) -> bytes:
    if len(raw) < 0x7F:
        return bytes([len(raw)]) + raw
    rest, coded = len(raw) - 0x7F, b"\x7f"
    while rest >= 0x80:
        coded, rest = coded + bytes([rest % 0x80 | 0x80]), rest // 0x80
    return coded + bytes([rest]) + raw


def _read(connection: socket.socket) -> Answer:
    status, body = None, b""
    with connection.makefile("rb") as stream, contextlib.suppress(ConnectionResetError):
        while head := stream.read(9):
            payload = stream.read(int.from_bytes(head[:3], "big"))
            kind, flags = head[3], head[4]
            if kind == SETTINGS and not flags & ACK:
                with contextlib.suppress(BrokenPipeError):
                    connection.sendall(_frame(SETTINGS, ACK, 0, b""))
            if kind == HEADERS and status is None:
                status = _status(_content(flags, payload))
            if kind == DATA:
                body += _content(flags, payload)
            if kind in (RESET, GOAWAY) or (kind in (HEADERS, DATA) and flags & END_STREAM):
                break
    return Answer(status, body)


def _content(flags: int, payload: bytes) -> bytes:
    """The frame's payload without what pads it."""
    if flags & PADDED:
        payload = payload[1 : len(payload) - payload[0]]
    return payload[5:] if flags & PRIORITY else payload


def _status(block: bytes) -> int:
    while block[0] & 0xE0 == 0x20:  # the size of the table that fields are kept in
        block = block[1:]
    if block[0] & 0x80:
        return _STATUSES[block[0] & 0x7F]
    length, value = block[1] & 0x7F, block[2:]
    return int(_decoded(value[:length]) if block[1] & 0x80 else value[:length])


def _decoded(value: bytes) -> str:
    bits, digits, code = "".join(f"{byte:08b}" for byte in value), "", ""
    for bit in bits:
        code += bit
        if code in _DIGITS:
            digits, code = digits + _DIGITS[code], ""
    return digits
