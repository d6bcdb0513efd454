"""Ranges and conditions of requests for bytes (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

ONE_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))")


class UnsatisfiableError(ValueError):
    """The range begins beyond the end."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `start` up to, not including, `end`."""

    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """How many they are."""
        return self.end - self.start


def find_span(header: str | None, size_bytes: int) -> Span | None:
    """Return the span that a Range header asks for, or None where the whole is to be sent.

    More than one range, or what is no range of bytes, is answered with the whole, as a server may.

    Raises:
        UnsatisfiableError: there are no such bytes.
    """
    match = ONE_RANGE.fullmatch((header or "").strip())
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(size_bytes - int(suffix), 0), size_bytes
    else:
        start, end = int(first), min(int(last) + 1, size_bytes) if last else size_bytes
        if last and int(last) < start:
            return None
    if start >= size_bytes or start >= end:
        raise UnsatisfiableError
    return Span(start, end)


def is_unchanged(if_none_match: str | None, etag: str) -> bool:
    """Return whether the client has this version already."""
    if if_none_match is None:
        return False
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in known or etag in known


def may_continue(if_range: str | None, etag: str) -> bool:
    """Return whether a range may be added to what the client has; a date can't prove that, a strong tag can."""
    return if_range is None or if_range.strip() == etag
