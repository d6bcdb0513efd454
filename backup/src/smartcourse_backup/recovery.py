"""PostgreSQL at a moment of the past: a base backup and the log since, replayed by a server of our own, then dumped.

What comes out is what every backup has of PostgreSQL, and it is restored as one: nothing here touches a database.
"""

from __future__ import annotations

import asyncio
import shlex
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from smartcourse_backup import archive, archiver, postgres
from smartcourse_backup.archive import Archive, Base, OutsideWindowError
from smartcourse_backup.config import Settings
from smartcourse_backup.manifest import BrokenBackupError, Content
from smartcourse_backup.repository import Snapshot

log = structlog.get_logger()
MANIFEST = "backup_manifest"
HBA = "local all all trust\n"


@dataclass(frozen=True)
class Recovered:
    """A dump of PostgreSQL as it was, and what it holds."""

    folder: Path
    tables: dict[str, Content]
    snapshot: str
    archive: Archive


async def recover(settings: Settings, target: datetime) -> Recovered:
    """Bring PostgreSQL's data of the moment `target` into a dump.

    Raises:
        OutsideWindowError: the archive does not cover it.
        BrokenBackupError: what is needed for it is missing or damaged.
    """
    began = time.monotonic()
    snapshot, found, base = await covering(settings, target)
    fetched = settings.scratch / "archive"
    shutil.rmtree(fetched, ignore_errors=True)
    folder = await archiver.repository(settings).fetch(snapshot.id, fetched, file=archive.FILE)
    needed = await asyncio.to_thread(archive.unbroken, folder / archive.WAL, base.first_segment)
    home = postgres.new_home(settings.scratch)
    await unpack(folder / archive.BASES / base.name, needed, home)
    await verify(home)
    output = settings.scratch / "recovered"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    tables = await replayed(settings, home, target, output)
    shutil.rmtree(fetched)
    log.info("recovered", seconds=round(time.monotonic() - began, 1), target=target.isoformat(), base=base.name,
             segments=len(needed))  # fmt: skip
    return Recovered(output, tables, snapshot.id, found)


async def covering(settings: Settings, target: datetime) -> tuple[Snapshot, Archive, Base]:
    """Return the newest snapshot from which `target` can be recovered.

    Raises:
        OutsideWindowError: there is none.
    """
    store = archiver.repository(settings)
    windows = []
    newest = {archiver.chain_of(snapshot): snapshot for snapshot in await store.snapshots(archiver.TAG)}
    for snapshot in reversed(newest.values()):
        found = Archive.read(await store.text(snapshot, archive.FILE))
        if base := found.base_for(target):
            return snapshot, found, base
        windows.append((found.first, found.covered_until))
    raise OutsideWindowError(target, sorted(windows))


async def unpack(base: Path, needed: list[Path], home: Path) -> None:
    """Lay a base backup and the log out as a server that is to recover has them.

    Raises:
        BrokenBackupError: the base backup is damaged.
    """
    data, log_folder = home / postgres.DATA, home / archive.WAL
    for folder in (data, log_folder):
        folder.mkdir(mode=0o700)
    command = ["tar", "--extract", "--no-same-owner", f"--file={base / archive.BASE_TAR}", f"--directory={data}"]
    try:
        await postgres.run(*command, environment={})
        shutil.copyfile(base / MANIFEST, data / MANIFEST)
    except (OSError, postgres.PostgresError) as error:
        raise BrokenBackupError(f"the base backup {base.name} is damaged: {error}") from error
    for path in needed:
        shutil.move(path, log_folder / path.name.removesuffix(archive.PARTIAL))
    (data / "recovery.signal").touch()
    (home / "hba").write_text(HBA, encoding="utf-8")
    postgres.give(home)


async def verify(home: Path) -> None:
    """Hold a base backup's files to its own list of checksums.

    Raises:
        BrokenBackupError: one is missing or another one.
    """
    data = home / postgres.DATA
    command = [postgres.program("pg_verifybackup"), "--exit-on-error", "--no-parse-wal", "--ignore=recovery.signal"]
    try:
        await postgres.run(*postgres.as_postgres(home), *command, str(data), environment={}, cwd=home)
    except postgres.PostgresError as error:
        raise BrokenBackupError(f"the base backup is damaged: {error}") from error


async def replayed(settings: Settings, home: Path, target: datetime, output: Path) -> dict[str, Content]:
    """Run the server until it was recovered to `target`, dump the database to `output`, return what it holds.

    Raises:
        BrokenBackupError: it cannot be recovered.
    """
    recovery = {
        "restore_command": f"cp {shlex.quote(str(home / archive.WAL))}/%f %p",
        "recovery_target_time": target.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00"),
        "recovery_target_action": "promote",
        "hot_standby": "off",  # on, it would want the other server's limits
        "archive_mode": "off",
        "ssl": "off",
        "hba_file": str(home / "hba"),
        "shared_buffers": "128MB",
        "shared_preload_libraries": "",
    }
    server = postgres.ScratchServer(home, settings.source_database or settings.database)
    try:
        async with postgres.running(home, recovery):
            return await postgres.dump(server, output)
    except postgres.PostgresError as error:
        raise BrokenBackupError(f"PostgreSQL cannot be recovered to {target.isoformat()}: {error}") from error
