"""The restic repository that backups are kept in: encrypted, checksummed, holding each block of data once."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from smartcourse_backup.manifest import FILE, BrokenBackupError

SCHEDULED, GOOD = "scheduled", "good"
NO_REPOSITORY = "Is there a repository at the following location?"


class RepositoryError(Exception):
    """restic refused; the message is its own."""


@dataclass(frozen=True)
class Snapshot:
    """One backup in the repository. Its id is another one after it was tagged."""

    id: str
    tags: frozenset[str]
    stored_at: datetime

    @property
    def is_good(self) -> bool:
        return GOOD in self.tags


class Repository:
    """restic, whose repository, password and credentials are in the environment."""

    def __init__(self, source: str, *, cache: Path, place: str | None = None, is_locked: bool = True) -> None:
        self._host = source.replace("/", ".")
        self._cache = cache
        self._place = {"RESTIC_REPOSITORY": place} if place else {}
        self._options = () if is_locked else ("--no-lock",)

    async def prepare(self) -> None:
        """Make the repository if there is none, and take locks away that somebody killed has left.

        Raises:
            RepositoryError: it cannot be reached, or its password is another one.
        """
        try:
            await self._run("cat", "config")
        except RepositoryError as error:
            if NO_REPOSITORY not in str(error):
                raise
            await self._run("init")
        await self._run("unlock", "--remove-all")  # the operator runs one Job on a repository at a time

    async def find(self, name: str) -> Snapshot | None:
        """Return the snapshot of the backup `name`."""
        return next(iter(await self.snapshots(tag(name))), None)

    async def snapshots(self, *tags: str) -> list[Snapshot]:
        """Return this source's snapshots that have all of `tags`, the oldest first."""
        wanted = ["--tag", ",".join(tags)] if tags else []
        listed = json.loads(await self._run("snapshots", "--json", "--host", self._host, *wanted)) or []
        found = [
            Snapshot(one["id"], frozenset(one.get("tags") or ()), datetime.fromisoformat(one["time"])) for one in listed
        ]
        return sorted(found, key=lambda one: one.stored_at)

    async def save(self, folder: Path, name: str, *, is_scheduled: bool) -> Snapshot:
        """Store a folder as one snapshot: it is there whole, or not at all."""
        tags = [tag(name), *([SCHEDULED] if is_scheduled else [])]
        arguments = ["--tag", ",".join(tags), "--host", self._host, "--ignore-inode"]
        await self._run("backup", "--quiet", *arguments, ".", cwd=folder)
        found = await self.find(name)
        if found is None:
            raise RepositoryError("restic has stored the backup, and does not list it")
        return found

    async def append(self, folder: Path, *tags: str) -> None:
        """Store a folder as the newest snapshot of those with these tags: it is there whole, or not at all."""
        wanted = ",".join(tags)
        await self._run("backup", "--quiet", "--tag", wanted, "--host", self._host, "--ignore-inode", ".", cwd=folder)

    async def thin(self, tag: str, *, keep: int, until: datetime) -> None:
        """Remove snapshots with `tag` from before `until`, and of those that share all tags all but the newest `keep`.

        The newest of all stays.
        """
        old = [one.id for one in (await self.snapshots(tag))[:-1] if one.stored_at < until]
        if old:
            await self._run("forget", *old)
        rule = ["--tag", tag, "--host", self._host, "--group-by", "host,tags", "--keep-last", str(keep)]
        await self._run("forget", *rule, "--prune")

    async def text(self, snapshot: Snapshot, name: str) -> str:
        """Return a file of a snapshot.

        Raises:
            BrokenBackupError: it cannot be read.
        """
        try:
            return await self._run("dump", snapshot.id, f"/{name}")
        except RepositoryError as error:
            raise BrokenBackupError(f"{name} of the snapshot {snapshot.id} cannot be read: {error}") from error

    async def fetch(self, snapshot: str, target: Path, *, file: str = FILE) -> Path:
        """Bring a snapshot's files back, every block of them held to its checksum; return their folder.

        Raises:
            BrokenBackupError: it is not there, or damaged.
        """
        try:
            await self._run("restore", snapshot, "--target", str(target))
        except RepositoryError as error:
            raise BrokenBackupError(f"the snapshot {snapshot} cannot be read: {error}") from error
        found = await asyncio.to_thread(lambda: [path.parent for path in target.rglob(file)])
        if len(found) != 1:
            raise BrokenBackupError(f"the snapshot {snapshot} holds no {file}: it is no backup of a SmartCourse")
        return found[0]

    async def check(self) -> None:
        """Hold the repository's structure to its own rules.

        Raises:
            BrokenBackupError: it is damaged.
        """
        try:
            await self._run("check")
        except RepositoryError as error:
            raise BrokenBackupError(f"the repository is damaged: {error}") from error

    async def approve(self, snapshot: Snapshot, name: str) -> Snapshot:
        """Mark a snapshot as one that was read back whole."""
        if not snapshot.is_good:
            await self._run("tag", "--add", GOOD, snapshot.id)
        found = await self.find(name)
        if found is None or not found.is_good:
            raise RepositoryError(f"the snapshot of {name} could not be marked as good")
        return found

    async def discard(self, snapshot: Snapshot) -> None:
        await self._run("forget", snapshot.id)

    async def retain(self, keep: int) -> None:
        """Remove scheduled backups beyond the newest `keep` good ones. Call it once a new one is good."""
        rest = [one.id for one in await self.snapshots(SCHEDULED) if not one.is_good]
        if rest:
            await self._run("forget", *rest)
        await self._run(
            "forget", "--host", self._host, "--tag", f"{SCHEDULED},{GOOD}", "--group-by", "host",
            "--keep-last", str(keep), "--prune",
        )  # fmt: skip

    async def size_bytes(self, snapshot: str) -> int:
        """Return what restoring a snapshot takes."""
        found: dict[str, Any] = json.loads(await self._run("stats", "--json", "--mode", "restore-size", snapshot))
        return int(found["total_size"])

    async def _run(self, *arguments: str, cwd: Path | None = None) -> str:
        pipe = asyncio.subprocess.PIPE
        own = {"RESTIC_CACHE_DIR": str(self._cache), "RESTIC_PROGRESS_FPS": "0.01", **self._place}
        environment = os.environ | own
        process = await asyncio.create_subprocess_exec(
            "restic", *self._options, *arguments, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=pipe,
            stderr=pipe, cwd=cwd,
        )  # fmt: skip
        output, errors = await process.communicate()
        if process.returncode:
            text = errors.decode(errors="replace").strip() or output.decode(errors="replace").strip()
            raise RepositoryError(f"restic {arguments[0]}: {text[-1500:]}")
        return output.decode()


def tag(name: str) -> str:
    return f"name={name}"
