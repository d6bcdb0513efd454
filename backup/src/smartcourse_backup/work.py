"""The three things that are done: take a backup, check one, restore one."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from redis.asyncio import Redis

from smartcourse_backup import archiver, mongodb, postgres, recovery
from smartcourse_backup.config import Settings
from smartcourse_backup.manifest import FILE, BrokenBackupError, Manifest, describe, differences
from smartcourse_backup.repository import Repository, Snapshot

log = structlog.get_logger()
Result = dict[str, Any]
Work = Callable[[Settings], Coroutine[Any, Any, Result]]


class RestoreError(Exception):
    """What was restored is not what the backup holds."""


def repository(settings: Settings) -> Repository:
    return Repository(settings.backup_source, cache=settings.scratch / "cache")


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def server(settings: Settings) -> postgres.Server:
    return postgres.Server(settings.postgres_admin_url.get_secret_value(), settings.database)


async def take(settings: Settings) -> Result:
    """Make a backup and read it back; only then it counts, and only then older ones may go."""
    store = repository(settings)
    await store.prepare()
    snapshot = await store.find(settings.backup_name)
    if snapshot is None:
        snapshot = await store.save(await dump(settings), settings.backup_name, is_scheduled=settings.is_scheduled)
    manifest = await examined(settings, store, snapshot)
    snapshot = await store.approve(snapshot, settings.backup_name)
    if settings.is_scheduled:
        await store.retain(settings.keep)
    return {**manifest.summary(), "snapshot": snapshot.id, "sizeBytes": await store.size_bytes(snapshot.id),
            "isVerified": settings.verify}  # fmt: skip


async def dump(settings: Settings) -> Path:
    """Write both stores to a folder, PostgreSQL first."""
    folder, began = fresh(settings.scratch / "dump"), time.monotonic()
    taken_at = datetime.now(UTC)
    tables = await postgres.dump(server(settings), folder)
    with mongodb.connect(settings.mongodb_admin_url.get_secret_value()) as client:
        collections = await asyncio.to_thread(mongodb.dump, client[settings.database], folder)
    files = {str(path.relative_to(folder)): describe(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    manifest = Manifest(source=settings.backup_source, release=settings.backup_release, taken_at=taken_at,
                        tables=tables, collections=collections, files=files)  # fmt: skip
    (folder / FILE).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    log.info("dumped", seconds=round(time.monotonic() - began, 1), **manifest.summary())
    return folder


async def examined(settings: Settings, store: Repository, snapshot: Snapshot) -> Manifest:
    """Read a new snapshot back; one that is broken is taken out of the repository again."""
    if not settings.verify:
        shutil.rmtree(settings.scratch / "dump", ignore_errors=True)
        return Manifest.read(await store.fetch(snapshot.id, fresh(settings.scratch / "fetched")))
    try:
        await store.check()
        _, manifest = await fetched(settings, store, snapshot.id)
    except BrokenBackupError:
        await store.discard(snapshot)
        raise
    return manifest


async def fetched(settings: Settings, store: Repository, snapshot: str) -> tuple[Path, Manifest]:
    """Bring a snapshot's files back and prove them: their digests, every document, and a restore of PostgreSQL.

    Raises:
        BrokenBackupError: something is missing or differs.
    """
    began = time.monotonic()
    shutil.rmtree(settings.scratch / "dump", ignore_errors=True)
    folder = await store.fetch(snapshot, fresh(settings.scratch / "fetched"))
    manifest = Manifest.read(folder)
    documents = await asyncio.to_thread(mongodb.read_back, folder, manifest.collections)
    wrong = differences(manifest.collections, documents, "MongoDB's")
    wrong += differences(manifest.tables, await postgres.try_out(folder, settings.scratch), "PostgreSQL's")
    if wrong:
        raise BrokenBackupError(f"the backup is not what it says: {'; '.join(wrong[:5])}")
    log.info("read back", seconds=round(time.monotonic() - began, 1))
    return folder, manifest


async def check(settings: Settings) -> Result:
    """Prove a backup, or that a moment can be recovered, without touching any database."""
    if settings.target_time:
        _, manifest, snapshot = await moment(settings, settings.target_time)
        await documents(settings, settings.target_time)
        return {**manifest.summary(), "snapshot": snapshot}
    _, manifest = await fetched(settings, repository(settings), settings.snapshot)
    return {**manifest.summary(), "snapshot": settings.snapshot}


async def moment(settings: Settings, target: datetime) -> tuple[Path, Manifest, str]:
    """Bring PostgreSQL's dump of a moment of the past, what it holds, and the archive's snapshot that it came from.

    Raises:
        BrokenBackupError: the archive does not cover it, or is damaged.
    """
    found = await recovery.recover(settings, target)
    manifest = Manifest(source=found.archive.source, release=found.archive.release, taken_at=target,
                        tables=found.tables, collections={}, files={})  # fmt: skip
    return found.folder, manifest, found.snapshot


async def documents(settings: Settings, target: datetime) -> tuple[Path, Manifest] | None:
    """Bring the documents of the backup that completes a recovery; None where MongoDB has them itself.

    Raises:
        BrokenBackupError: it is older than the moment, so that rows may point to what it lacks; or damaged.
    """
    if not settings.snapshot:
        return None
    folder = await repository(settings).fetch(settings.snapshot, fresh(settings.scratch / "fetched"))
    manifest = Manifest.read(folder)
    if manifest.taken_at < target:
        raise BrokenBackupError(
            f"the backup's documents are of {manifest.taken_at.isoformat()}, before {target.isoformat()}: rows would"
            " point to what it lacks; name a backup that was taken after that moment"
        )
    return folder, manifest


async def restore_moment(settings: Settings, target: datetime) -> Result:
    """Put PostgreSQL as it was at `target` in the place of what it holds. Run again, it does the same.

    MongoDB's documents are never changed and are written before the rows that point to them: what it holds later has
    all that the rows of `target` point to. Where it is another MongoDB, a later backup's documents are added.
    """
    folder, manifest, snapshot = await moment(settings, target)
    added = await documents(settings, target)
    if added:
        with mongodb.connect(settings.mongodb_admin_url.get_secret_value()) as client:
            await asyncio.to_thread(mongodb.add, client[settings.database], added[0], added[1].collections)
            lacking = await asyncio.to_thread(mongodb.lacking, client[settings.database], *added)
        if lacking:
            raise RestoreError(f"MongoDB lacks documents of the backup: {'; '.join(lacking[:5])}")
    await postgres.restore(server(settings), folder)
    if wrong := differences(manifest.tables, await postgres.restored(server(settings)), "PostgreSQL's"):
        raise RestoreError(f"what was restored differs from what was recovered: {'; '.join(wrong[:5])}")
    await empty_redis(settings)
    return {**manifest.summary(), "snapshot": snapshot}


async def empty_redis(settings: Settings) -> None:
    """Empty Redis: it is rebuilt from the outboxes, and what it knew happened later than what was restored."""
    if settings.redis_url:
        async with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
            await redis.flushdb()


async def restore(settings: Settings) -> Result:
    """Put a backup in the place of what the databases hold. Run again, it does the same.

    At every moment PostgreSQL's rows find what they point to in MongoDB: the backup's documents are added first, then
    PostgreSQL is replaced in one transaction, then the other documents are removed.
    """
    if settings.target_time:
        return await restore_moment(settings, settings.target_time)
    folder, manifest = await fetched(settings, repository(settings), settings.snapshot)
    began = time.monotonic()
    with mongodb.connect(settings.mongodb_admin_url.get_secret_value()) as client:
        database = client[settings.database]
        await asyncio.to_thread(mongodb.add, database, folder, manifest.collections)
        await postgres.restore(server(settings), folder)
        await asyncio.to_thread(mongodb.remove_others, database, folder, manifest.collections)
        wrong = differences(manifest.collections, await asyncio.to_thread(mongodb.contents, database), "MongoDB's")
    wrong += differences(manifest.tables, await postgres.restored(server(settings)), "PostgreSQL's")
    if wrong:
        raise RestoreError(f"what was restored differs from the backup: {'; '.join(wrong[:5])}")
    await empty_redis(settings)
    log.info("restored", seconds=round(time.monotonic() - began, 1), **manifest.summary())
    return {**manifest.summary(), "snapshot": settings.snapshot}


TASKS: dict[str, Work] = {"backup": take, "check": check, "restore": restore, "archive": archiver.archive_on}
