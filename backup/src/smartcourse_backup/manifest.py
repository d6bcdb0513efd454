"""What a backup says of itself: the files that it is made of, and what the databases held."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

FILE = "manifest.json"
FORMAT = 1
BLOCK_BYTES = 1 << 20
MODULUS = 1 << 64


class BrokenBackupError(Exception):
    """A backup is not whole, or is not what its manifest says."""


class Content(BaseModel):
    """How much a table or collection holds: entries, and the sum of their digests, which no order changes."""

    count: int
    checksum: str


class Collection(Content):
    """A collection of MongoDB, with the definitions of its indexes."""

    indexes: list[dict[str, Any]] = []


class File(BaseModel):
    """One file of the backup."""

    size_bytes: int
    sha256: str


class Manifest(BaseModel):
    """The whole backup."""

    format: int = FORMAT
    source: str
    release: str
    taken_at: datetime
    tables: dict[str, Content]
    collections: dict[str, Collection]
    files: dict[str, File]

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest and hold every file to it.

        Raises:
            BrokenBackupError: a file is missing or is another one.
        """
        try:
            manifest = cls.model_validate_json((folder / FILE).read_bytes())
        except (OSError, ValueError) as error:
            raise BrokenBackupError(f"the backup has no readable {FILE}: {error}") from error
        if manifest.format != FORMAT:
            raise BrokenBackupError(f"the backup is of format {manifest.format}, this program reads {FORMAT}")
        for name, wanted in manifest.files.items():
            path = folder / name
            if not path.is_file():
                raise BrokenBackupError(f"the backup lacks {name}")
            if (found := describe(path)) != wanted:
                raise BrokenBackupError(f"{name} is damaged: {found.size_bytes} bytes, SHA-256 {found.sha256}")
        return manifest

    def summary(self) -> dict[str, Any]:
        """Return counts and one checksum a store, small enough for a pod's termination message."""
        return {
            "release": self.release,
            "source": self.source,
            "takenAt": self.taken_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "postgres": total(self.tables),
            "mongodb": total(self.collections),
        }


def total(contents: dict[str, Any]) -> dict[str, Any]:
    """Return what all tables or collections hold together; empty collections do not count, MongoDB forgets them."""
    held = {name: content for name, content in sorted(contents.items()) if content.count}
    text = "\n".join(f"{name} {content.count} {content.checksum}" for name, content in held.items())
    return {
        "parts": len(held),
        "entries": sum(content.count for content in held.values()),
        "checksum": hashlib.sha256(text.encode()).hexdigest()[:32],
    }


def describe(path: Path) -> File:
    """Return a file's size and digest."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return File(size_bytes=path.stat().st_size, sha256=digest)


def differences(wanted: dict[str, Any], found: dict[str, Any], store: str) -> list[str]:
    """Return in words what `found` holds otherwise than `wanted`."""
    told = []
    for name in sorted({*wanted, *found}):
        counts = [contents[name].count if name in contents else 0 for contents in (wanted, found)]
        sums = [contents[name].checksum if name in contents else "0" for contents in (wanted, found)]
        if counts[0] != counts[1]:
            told.append(f"{store} {name} has {counts[1]} entries, the backup {counts[0]}")
        elif sums[0] != sums[1]:
            told.append(f"{store} {name} differs in content")
    return told
