"""Archiving PostgreSQL's log while it runs: it is received as it is written, and stored at an interval.

One snapshot of the repository holds all that a recovery needs: base backups, the log since the first, and what moments
that covers. It is there whole or not at all, so that an archiver that is killed leaves nothing half.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from smartcourse_backup import archive, postgres
from smartcourse_backup.archive import Archive, Base
from smartcourse_backup.config import Settings
from smartcourse_backup.manifest import BrokenBackupError
from smartcourse_backup.repository import Repository, Snapshot

NAME = "smartcourse-archive"
TAG = "archive"
CHAIN = "chain="
"""One chain is a log without a gap; each of its snapshots holds all of it that is kept."""
KEPT_SNAPSHOTS = 3
"""Of a chain, once a base backup was made; the others are for a reader at work."""
RECEIVE_TIMEOUT_SECONDS = 120
POLL_SECONDS = 0.1
NO_SEGMENT = "has already been removed"

log = structlog.get_logger()


class ArchiveError(Exception):
    """The log could not be archived; the message says why."""


def repository(settings: Settings, *, is_locked: bool = False) -> Repository:
    """Return the archive's own repository: it is written while backups hold locks on theirs.

    Readers take no lock, so that one which a killed archiver left does not keep them out; what they read is checked.
    """
    place = f"{settings.restic_repository.rstrip('/')}/{TAG}"
    return Repository(settings.backup_source, cache=settings.scratch / "cache", place=place, is_locked=is_locked)


def chain_of(snapshot: Snapshot) -> str:
    return next((tag for tag in snapshot.tags if tag.startswith(CHAIN)), "")


class Archiver:
    """Receives one server's log into `spool` and stores it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = repository(settings, is_locked=True)
        self._name = f"{NAME}-{secrets.token_hex(4)}"  # the server may still list the one that was killed
        self._server = postgres.Server(settings.postgres_admin_url.get_secret_value(), settings.database)
        self._environment = self._server.environment | {"PGAPPNAME": self._name}
        self._wal, self._bases = settings.spool / archive.WAL, settings.spool / archive.BASES
        self._receiver: asyncio.subprocess.Process | None = None

    @contextlib.asynccontextmanager
    async def ready(self) -> AsyncIterator[None]:
        """Receive the log for a while."""
        await self._store.prepare()
        try:
            yield
        finally:
            await self._stop()

    async def step(self) -> Archive:
        """Store what was written until now, after a base backup where one is due; return what can be recovered.

        Raises:
            ArchiveError, PostgresError, RepositoryError, OSError: it could not be; to be tried again later.
        """
        system = await self._system()
        known = self._known(system)
        if known is None:
            await self._begin_anew()
        await self._receive()
        bases = known.bases if known else []
        if is_due := self._is_due(bases):
            bases = archive.kept([*bases, await self._base()], self._settings.keep_bases)
        moment = await self._mark()
        found = Archive(source=self._settings.backup_source, release=self._settings.backup_release, system=system,
                        chain=known.chain if known else bases[0].name, covered_until=moment, bases=bases)  # fmt: skip
        self._retain(found)
        await self._save(found, is_due=is_due)
        log.info("archived", covered_until=moment.isoformat(), first=found.first.isoformat(), bases=len(bases))
        return found

    async def _system(self) -> str:
        async with self._server.connect() as connection:
            return str(await connection.fetchval("SELECT system_identifier FROM pg_control_system()"))

    def _known(self, system: str) -> Archive | None:
        """Return what the spool holds, None if that is nothing, another server's, or not whole."""
        path = self._settings.spool / archive.FILE
        if not path.is_file():
            return None
        try:
            found = Archive.read(path.read_text(encoding="utf-8"))
            archive.unbroken(self._wal, min(base.first_segment for base in found.bases))
        except (BrokenBackupError, OSError) as error:
            log.error("the spool is begun anew", error=str(error))  # noqa: TRY400 - the trace says nothing more
            return None
        return found if found.system == system and self._has(found.bases) else None

    def _has(self, bases: list[Base]) -> bool:
        return all((self._bases / base.name / archive.BASE_TAR).is_file() for base in bases)

    async def _begin_anew(self) -> None:
        await self._stop()
        (self._settings.spool / archive.FILE).unlink(missing_ok=True)  # first: what it tells is no longer there
        for folder in (self._wal, self._bases):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    async def _receive(self) -> None:
        """Start the receiver unless it runs; it goes on where the spool ends.

        Raises:
            ArchiveError: it ends at once. Where the server has removed what comes next, the spool is begun anew.
        """
        if self._receiver is None or self._receiver.returncode is not None:
            await self._tidy()
            self._receiver = await asyncio.create_subprocess_exec(
                postgres.program("pg_receivewal"), f"--directory={self._wal}", "--no-loop", "--no-password",
                "--synchronous", "--status-interval=1", env=os.environ | self._environment,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        # Until the server knows of it, a checkpoint may remove what it is about to ask for.
        await self._until(STREAMING)

    async def _tidy(self) -> None:
        """Remove a segment that was about to be begun when the receiver was killed: the next would refuse it."""
        async with self._server.connect() as connection:
            size = await connection.fetchval("SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'")
        for path in self._wal.glob(f"*{archive.PARTIAL}"):
            if path.stat().st_size != size:
                path.unlink()

    async def _until(self, question: str, *arguments: Any) -> None:
        deadline = time.monotonic() + RECEIVE_TIMEOUT_SECONDS
        async with self._server.connect() as connection:
            while not await connection.fetchval(question, self._name, *arguments):
                await self._see_that_it_runs()
                if time.monotonic() > deadline:
                    raise ArchiveError(f"the log was not received within {RECEIVE_TIMEOUT_SECONDS} s")
                await asyncio.sleep(POLL_SECONDS)

    async def _see_that_it_runs(self) -> None:
        if self._receiver is None or self._receiver.returncode is None:
            return
        said = (await self._receiver.stderr.read()).decode(errors="replace").strip() if self._receiver.stderr else ""
        if NO_SEGMENT in said:
            await self._begin_anew()
            raise ArchiveError(f"the log has a gap, a new base backup is to be made: {said[-500:]}")
        raise ArchiveError(f"the log cannot be received: {said[-500:]}")

    def _is_due(self, bases: list[Base]) -> bool:
        newest = max((base.finished_at for base in bases), default=None)
        return newest is None or datetime.now(UTC) - newest >= timedelta(hours=self._settings.base_interval_hours)

    async def _base(self) -> Base:
        """Make a base backup; the log that it needs is received meanwhile."""
        name = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        folder = self._bases / f"{name}{archive.PARTIAL}"
        for left in self._bases.glob(f"*{archive.PARTIAL}"):
            shutil.rmtree(left)
        # Not compressed: the repository does that, and finds what it has already.
        await postgres.run(
            postgres.program("pg_basebackup"), f"--pgdata={folder}", "--format=tar", "--wal-method=none",
            "--checkpoint=fast", "--manifest-checksums=SHA256", "--no-password", f"--label={NAME}",
            environment=self._environment,
        )  # fmt: skip
        folder.rename(self._bases / name)
        first = await asyncio.to_thread(archive.first_segment, self._bases / name)
        async with self._server.connect() as connection:
            finished_at = await connection.fetchval("SELECT clock_timestamp()")
        return Base(name=name, first_segment=first, finished_at=finished_at)

    async def _mark(self) -> datetime:
        """Commit a mark and wait until it was received; return a moment before it, up to which all can be recovered.

        A recovery ends at the first commit after its target: without the mark there is none where nobody writes.
        """
        async with self._server.connect() as connection:
            async with connection.transaction():
                moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
                await connection.execute("SET LOCAL synchronous_commit = on")
                await connection.execute(f"SELECT pg_logical_emit_message(true, '{NAME}', '')")
            written = await connection.fetchval("SELECT pg_current_wal_flush_lsn()")
        await self._until(RECEIVED, written)
        return moment

    def _retain(self, found: Archive) -> None:
        """Note what the spool is to hold, then remove the rest: killed in between, it holds too much."""
        whole = self._settings.spool / archive.FILE
        partial = whole.with_name(whole.name + archive.PARTIAL)
        partial.write_text(found.model_dump_json(indent=1), encoding="utf-8")
        partial.replace(whole)
        for folder in self._bases.iterdir():
            if folder.name not in {base.name for base in found.bases}:
                shutil.rmtree(folder)
        for path in archive.unneeded(self._wal, found.bases):
            path.unlink()

    async def _save(self, found: Archive, *, is_due: bool) -> None:
        target = self._settings.spool / "stage"
        await asyncio.to_thread(archive.stage, self._settings.spool, target)
        await self._store.append(target, TAG, f"{CHAIN}{found.chain}")
        shutil.rmtree(target)
        if is_due:
            kept_for = timedelta(hours=self._settings.base_interval_hours * self._settings.keep_bases)
            await self._store.thin(TAG, keep=KEPT_SNAPSHOTS, until=found.covered_until - kept_for)

    async def _stop(self) -> None:
        if self._receiver and self._receiver.returncode is None:
            self._receiver.terminate()
            await self._receiver.wait()
        self._receiver = None


STREAMING = """
    SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming')
"""
RECEIVED = """
    SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = $1 AND flush_lsn >= $2::pg_lsn)
"""


async def archive_on(settings: Settings) -> dict[str, Any]:
    """Archive until told to stop (SIGTERM); a step that fails is tried again at the next interval."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    archiver = Archiver(settings)
    async with archiver.ready():
        while not stop.is_set():
            try:
                await archiver.step()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next interval tries again
                log.error("not archived", error=f"{type(error).__name__}: {error}"[:1500])  # noqa: TRY400
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), settings.archive_interval_seconds)
    return {}
