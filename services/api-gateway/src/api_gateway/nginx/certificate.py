"""The certificate and key that TLS is served with: the newest pair in a directory that nginx accepts.

nginx reads a copy. A Secret's files change whenever somebody likes, and a broken pair must not stand in the way of
another reload, such as that for a service that has moved.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

_SUFFIXES: Final = (".crt", ".key")
_KEPT: Final = 2
"""Pairs whose copies stay: nginx may still be about to read the one before."""


class CertificateError(ValueError):
    """A pair can't be served with; the message names its place and what to do."""


class Certificates:
    """Watches a directory with `tls.crt` and `tls.key`."""

    def __init__(self, source: Path, kept: Path) -> None:
        """Watch `source` and keep copies in `kept`, a directory for nothing else."""
        self._source, self._kept = source, kept
        self._seen = b""
        self._names: list[str] = []

    def find_new(self) -> Path | None:
        """Copy the pair if it is another than at the last call; return the copy's path without `.crt` and `.key`.

        Raises:
            CertificateError: it can't be read.
        """
        try:
            pair = self._read()
            if pair != self._read():
                return None  # it is being replaced just now: next time
        except OSError as error:
            if self._is_new([str(error).encode()]):
                raise self.refusal(str(error)) from error
            return None
        return self._copy(pair) if self._is_new(pair) else None

    def accept(self, copy: Path) -> None:
        """Drop the other copies: `copy` is served with from now on."""
        self._names = [*(name for name in self._names if name != copy.name), copy.name][-_KEPT:]
        for file in self._kept.iterdir():
            if file.stem not in self._names:
                file.unlink()

    def refusal(self, reason: str) -> CertificateError:
        """Return the error about the newest pair."""
        return CertificateError(
            f"{self._source}/tls.crt can't be served with, or not with {self._source}/tls.key ({reason}): put a chain, "
            "the server's own certificate first, and its unencrypted key there, both as PEM"
        )

    def _read(self) -> list[bytes]:
        return [(self._source / f"tls{suffix}").read_bytes() for suffix in _SUFFIXES]

    def _is_new(self, content: list[bytes]) -> bool:
        before, self._seen = self._seen, hashlib.sha256(b"\0".join(content)).digest()
        return before != self._seen

    def _copy(self, pair: list[bytes]) -> Path:
        self._kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy = self._kept / self._seen.hex()[:16]
        for suffix, content in zip(_SUFFIXES, pair, strict=True):
            file = copy.with_suffix(suffix)
            file.touch(mode=0o600)
            file.write_bytes(content)
        return copy
