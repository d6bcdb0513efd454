"""Recovery to a point in time, of a real PostgreSQL whose log is archived while it is written to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from smartcourse_backup import archive, archiver, postgres, recovery, work
from smartcourse_backup.archive import Archive, OutsideWindowError
from smartcourse_backup.archiver import Archiver
from smartcourse_backup.manifest import BrokenBackupError
from smartcourse_backup.repository import RepositoryError

from .conftest import Stores

PATIENCE_SECONDS = 180


def chosen(stores: Stores, **overrides: Any) -> Any:
    return stores.settings(spool=stores.root / "spool", **overrides)


@contextlib.asynccontextmanager
async def archiving(stores: Stores, **overrides: Any) -> AsyncIterator[Archiver]:
    made = Archiver(chosen(stores, **overrides))
    async with made.ready():
        yield made


@pytest.fixture(autouse=True)
async def _kept(stores: Stores) -> None:
    """Have the server keep its log for an archiver that is away, as one that is archived has to."""
    await keep(stores, "1GB")


async def keep(stores: Stores, size: str) -> None:
    await stores.sql(f"ALTER SYSTEM SET wal_keep_size = '{size}'")
    await stores.sql("SELECT pg_reload_conf()")


async def now(stores: Stores) -> datetime:
    found: datetime = await stores.sql("SELECT clock_timestamp()")
    return found


async def emails(stores: Stores) -> set[str]:
    return set(await stores.sql("SELECT array_agg(email) FROM users"))


async def enter(stores: Stores, email: str) -> None:
    await stores.sql(
        "INSERT INTO users (email, hashed_password, full_name, role) VALUES ($1, '-', 'N', 'student')", email
    )


async def snapshots(stores: Stores) -> list[str]:
    found = await archiver.repository(chosen(stores)).snapshots(archiver.TAG)
    return [one.id for one in found]


async def test_a_recovery_ends_between_two_writes(stores: Stores) -> None:
    async with archiving(stores) as made:
        await made.step()
        await enter(stores, "before@example.org")
        before, moment = await emails(stores), await now(stores)
        await enter(stores, "after@example.org")
        await made.step()
        await stores.sql("DELETE FROM users")
        later = stores.collection("lesson_revisions").insert_one({"lesson_id": 4711, "number": 1}).inserted_id
        restored = await work.restore(chosen(stores, target_time=moment))
        assert await emails(stores) == before
        assert restored["takenAt"] == moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert stores.collection("lesson_revisions").find_one({"_id": later})  # MongoDB stays as it is
        await made.step()  # archiving goes on over a restore, which can be recovered from
        assert len((await recovery.recover(chosen(stores), await covered(stores))).tables) > 1


async def covered(stores: Stores) -> datetime:
    """Return the last moment that can be recovered, as the spool has it."""
    return Archive.read((stores.root / "spool" / archive.FILE).read_text()).covered_until


async def test_the_last_moment_of_the_archive_is_recovered_where_nobody_writes(stores: Stores) -> None:
    async with archiving(stores) as made:
        await made.step()
        found = await made.step()
    recovered = await recovery.recover(chosen(stores), found.covered_until)
    assert recovered.tables == await postgres.restored(work.server(stores.settings()))


async def test_a_moment_outside_the_archive_is_refused_and_the_window_is_named(stores: Stores) -> None:
    before = await emails(stores)
    async with archiving(stores) as made:
        found = await made.step()
    for moment in (found.first - timedelta(milliseconds=1), found.covered_until + timedelta(milliseconds=1)):
        with pytest.raises(OutsideWindowError, match="the archive covers") as refused:
            await work.restore(chosen(stores, target_time=moment))
        assert found.first.isoformat() in str(refused.value)
        assert found.covered_until.isoformat() in str(refused.value)
    assert await emails(stores) == before


async def test_there_is_nothing_to_recover_before_anything_was_archived(stores: Stores) -> None:
    async with archiving(stores):
        with pytest.raises(OutsideWindowError, match="covers nothing yet"):
            await work.check(chosen(stores, target_time=datetime.now(UTC)))


async def test_another_platform_gets_the_documents_of_a_later_backup(stores: Stores, others: Stores) -> None:
    early = await work.take(stores.settings(backup_name="early", verify=False))
    async with archiving(stores) as made:
        await made.step()
        document = stores.collection("lesson_revisions").insert_one({"lesson_id": 4711, "number": 1}).inserted_id
        await enter(stores, "before@example.org")
        before, moment = await emails(stores), await now(stores)
        await enter(stores, "after@example.org")
        await made.step()
    late = await work.take(stores.settings(backup_name="late", verify=False))
    # The archive is of one database; it is recovered by the name that it has there.
    target = {"target_time": moment, "source_database": stores.database.name}
    with pytest.raises(BrokenBackupError, match="name a backup that was taken after that moment"):
        await work.check(chosen(others, snapshot=early["snapshot"], **target))
    await work.restore(chosen(others, snapshot=late["snapshot"], **target))
    assert await emails(others) == before
    assert others.collection("lesson_revisions").find_one({"_id": document})


def segment_in(folder: Path, position: int) -> Path:
    return list(archive.segments(folder).values())[position]


@pytest.mark.parametrize("how", ["a gap in the log", "a base backup without a file", "a base backup with another file"])
async def test_an_archive_that_is_not_whole_is_refused_before_anything_is_touched(stores: Stores, how: str) -> None:
    before = await emails(stores)
    async with archiving(stores) as made:
        await made.step()
        for _ in range(3):
            await stores.sql("SELECT pg_switch_wal()")
            await enter(stores, f"{os.urandom(4).hex()}@example.org")
        before, moment = await emails(stores), await now(stores)
        spool = stores.root / "spool"
        if how == "a gap in the log":
            found = await made.step()
            archive.stage(spool, stores.root / "stored")
            segment_in(stores.root / "stored" / archive.WAL, -2).unlink()
            await archiver.repository(chosen(stores)).append(
                stores.root / "stored", archiver.TAG, f"{archiver.CHAIN}{found.chain}"
            )
            message = "the archive lacks segment"
        else:
            tar = next(spool.glob(f"{archive.BASES}/*/{archive.BASE_TAR}"))
            rewrite(tar, stores.root / "unpacked", is_removed="without" in how)
            message = "the base backup is damaged"
            await made.step()
        for task in (work.check, work.restore):
            with pytest.raises(BrokenBackupError, match=message):
                await task(chosen(stores, target_time=moment))
    assert await emails(stores) == before


def rewrite(tar: Path, folder: Path, *, is_removed: bool) -> None:
    """Leave one of a base backup's files out, or flip a byte in it."""
    folder.mkdir()
    subprocess.run(["tar", "-xf", tar, "-C", folder], check=True)
    chosen_file = max((folder / "base").rglob("[0-9]*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    if is_removed:
        chosen_file.unlink()
    else:
        content = bytearray(chosen_file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        chosen_file.write_bytes(bytes(content))
    subprocess.run(["tar", "-cf", tar, "-C", folder, *(path.name for path in folder.iterdir())], check=True)


async def test_retention_keeps_the_log_that_each_kept_base_backup_needs(stores: Stores) -> None:
    moments: list[tuple[datetime, set[str]]] = []
    first: list[str] = []
    async with archiving(stores, base_interval_hours=1e-9, keep_bases=2) as made:
        for number in range(4):
            found = await made.step()
            first.append(max(found.bases, key=lambda base: base.finished_at).first_segment)
            await enter(stores, f"{number}@example.org")
            moments.append((await now(stores), await emails(stores)))
            await stores.sql("SELECT pg_switch_wal()")
        found = await made.step()
    assert len(found.bases) == 2
    kept = list(archive.segments(stores.root / "spool" / archive.WAL))
    assert min(kept) == min(base.first_segment for base in found.bases) > first[0]
    for moment, people in moments[3:]:
        await work.restore(chosen(stores, target_time=moment))
        assert await emails(stores) == people
    with pytest.raises(OutsideWindowError):
        await work.check(chosen(stores, target_time=moments[0][0]))


async def test_an_archiver_that_lost_its_spool_begins_anew_and_what_was_stored_can_still_be_recovered(
    stores: Stores,
) -> None:
    async with archiving(stores) as made:
        await made.step()
        before, moment = await emails(stores), await now(stores)
        await made.step()
    (stores.root / "spool").rename(stores.root / "lost")
    async with archiving(stores) as made:
        found = await made.step()
    assert found.first > moment
    await enter(stores, "since@example.org")
    await work.restore(chosen(stores, target_time=moment))
    assert await emails(stores) == before


async def test_a_log_that_the_server_no_longer_has_is_told_and_begun_anew(stores: Stores) -> None:
    async with archiving(stores) as made:
        before = await made.step()
        moment = await now(stores)
        known = await made.step()
    await keep(stores, "0")
    for _ in range(3):
        await stores.sql("SELECT pg_switch_wal()")
        await stores.sql("CHECKPOINT")
        await enter(stores, f"{os.urandom(4).hex()}@example.org")
    async with archiving(stores) as made:
        with pytest.raises(archiver.ArchiveError, match="the log has a gap"):
            await made.step()
        await keep(stores, "1GB")
        after = await stepped(made)
    assert (before.chain, after.first > known.covered_until) == (known.chain, True)
    await work.check(chosen(stores, target_time=moment))
    between = known.covered_until + (after.first - known.covered_until) / 2
    with pytest.raises(OutsideWindowError, match=r"covers .* to .* and .* to "):
        await work.check(chosen(stores, target_time=between))


async def stepped(made: Archiver) -> Archive:
    """Go on as the program does: a step that fails is tried again."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while True:
        try:
            return await made.step()
        except archiver.ArchiveError:
            assert asyncio.get_running_loop().time() < deadline


@pytest.mark.parametrize("what", ["its description", "a segment", "a base backup"])
async def test_a_spool_that_is_not_whole_is_begun_anew(stores: Stores, what: str) -> None:
    spool = stores.root / "spool"
    async with archiving(stores) as made:
        before = await made.step()
        await stores.sql("SELECT pg_switch_wal()")
        await made.step()
    match what:
        case "its description":
            (spool / archive.FILE).write_text("")
        case "a segment":
            segment_in(spool / archive.WAL, 0).unlink()
        case _:
            next(spool.glob(f"{archive.BASES}/*/{archive.BASE_TAR}")).unlink()
    async with archiving(stores) as made:
        after = await made.step()
    assert after.chain != before.chain
    assert (await work.check(chosen(stores, target_time=after.covered_until)))["postgres"]["entries"] > 40


async def eventually(holds: Any) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while not await holds():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.1)


async def test_an_archiver_that_is_killed_leaves_nothing_half_and_the_next_one_goes_on(stores: Stores) -> None:
    environment = stores.environment(ARCHIVE_INTERVAL_SECONDS="0.01", SPOOL=str(stores.root / "spool"))
    bases: set[str] = set()
    for number in range(3):
        known = set(await snapshots(stores)) if number else set()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "smartcourse_backup", "archive", env=environment, start_new_session=True,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

        async def has_stored(known: set[str] = known) -> bool:
            with contextlib.suppress(RepositoryError):  # there is none yet
                return bool(set(await snapshots(stores)) - known)
            return False

        await eventually(has_stored)
        await stores.sql("SELECT pg_switch_wal()")
        await enter(stores, f"{number}@example.org")
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        bases |= {path.name for path in (stores.root / "spool" / archive.BASES).iterdir()}
    async with archiving(stores) as made:
        found = await made.step()
    assert len(bases) == len(found.bases) == 1  # no new one was needed: the log has no gap
    await stores.sql("DELETE FROM users")
    await work.restore(chosen(stores, target_time=found.covered_until))
    assert {f"{number}@example.org" for number in range(3)} <= await emails(stores)


async def test_the_log_is_not_readable_without_the_password(stores: Stores) -> None:
    async with archiving(stores) as made:
        await made.step()
        await enter(stores, "known-plaintext@example.org")
        await made.step()
    files = [path.read_bytes() for path in (stores.root / "repository" / "archive").rglob("*") if path.is_file()]
    assert files
    assert not any(b"known-plaintext" in content or b"pg_control" in content for content in files)
    assert json.loads((stores.root / "spool" / archive.FILE).read_text())["covered_until"]
