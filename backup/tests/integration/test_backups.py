"""Backups of real stores: taken, proved, kept, refused and restored."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from smartcourse_backup import mongodb, postgres, work
from smartcourse_backup.manifest import BrokenBackupError
from smartcourse_backup.repository import Repository, RepositoryError

from .conftest import Stores


async def held(stores: Stores) -> dict[str, Any]:
    """Return what both stores hold, table by table and collection by collection."""
    database = postgres.Server(stores.database.admin_url, stores.database.name)
    with mongodb.connect(stores.mongo.admin_url) as client:
        documents = mongodb.contents(client[stores.database.name])
    return {"tables": await postgres.restored(database), "collections": documents}


async def names(stores: Stores) -> set[str]:
    """Return the names of the backups that the repository holds."""
    kept = await Repository("here/academy", cache=stores.root / "cache").snapshots()
    return {tag.removeprefix("name=") for one in kept for tag in one.tags if tag.startswith("name=")}


async def test_a_restore_into_empty_stores_gives_the_same_rows_and_documents(stores: Stores, others: Stores) -> None:
    before = await held(stores)
    taken = await work.take(stores.settings())
    assert taken["isVerified"]
    assert taken["postgres"]["entries"] == sum(table.count for table in before["tables"].values()) > 40
    assert taken["mongodb"]["entries"] == 27
    restored = await work.restore(others.settings(snapshot=taken["snapshot"]))
    assert await held(others) == before
    assert (restored["postgres"], restored["mongodb"]) == (taken["postgres"], taken["mongodb"])


async def test_a_restored_database_belongs_to_its_services_and_goes_on_counting(stores: Stores, others: Stores) -> None:
    highest = await stores.sql("SELECT max(id) FROM users")
    taken = await work.take(stores.settings())
    await work.restore(others.settings(snapshot=taken["snapshot"]))
    service = await asyncpg.connect(others.database.url("user"))
    try:
        new = await service.fetchval(
            "INSERT INTO users (email, hashed_password, full_name, role) VALUES ('n@example.org', '-', 'N', 'student')"
            " RETURNING id"
        )
        assert new == highest + 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute("DELETE FROM courses")
    finally:
        await service.close()
    assert [one["name"] for one in others.collection("lesson_revisions").list_indexes()] == ["_id_", "lesson_number"]


async def test_a_restore_takes_back_what_was_changed_added_and_removed_since(stores: Stores) -> None:
    before = await held(stores)
    taken = await work.take(stores.settings())
    await stores.fill(people=5, lessons=3)
    await stores.sql("DELETE FROM users WHERE id = 1")
    await stores.sql("CREATE TABLE later (id int)")
    stores.collection("lesson_revisions").delete_one({"lesson_id": 0})
    stores.collection("lesson_revisions").update_one({"lesson_id": 1}, {"$set": {"body": "rotten"}})
    stores.collection("later").insert_one({"a": 1})
    async with Redis.from_url(stores.redis.url) as redis:
        await redis.set("since", "then")
        await work.restore(stores.settings(snapshot=taken["snapshot"]))
        assert await redis.get("since") is None
    assert await held(stores) == before


async def test_writes_go_on_during_a_backup_and_none_is_torn(stores: Stores, others: Stores) -> None:
    """Each writer's step is a document, then the row that points to it: no restored row may miss its document."""
    await stores.sql("CREATE TABLE pointers (id bigserial PRIMARY KEY, document bigint NOT NULL)")
    stop, written = asyncio.Event(), 0

    async def write() -> None:
        nonlocal written
        connection = await asyncpg.connect(stores.database.admin_url)
        while not stop.is_set():
            written += 1
            await asyncio.to_thread(stores.collection("pointed").insert_one, {"_id": written})
            await connection.execute("INSERT INTO pointers (document) VALUES ($1)", written)
        await connection.close()

    writer = asyncio.create_task(write())
    await asyncio.sleep(0.3)
    taken = await work.take(stores.settings(verify=False))
    at_the_end = written
    stop.set()
    await writer
    await work.restore(others.settings(snapshot=taken["snapshot"]))
    rows = await others.sql("SELECT array_agg(document) FROM pointers")
    assert 0 < len(rows) < at_the_end
    assert set(rows) <= {one["_id"] for one in others.collection("pointed").find()}


async def test_a_backup_that_runs_again_makes_no_second_one(stores: Stores) -> None:
    first = await work.take(stores.settings())
    await stores.fill(people=1, lessons=1)
    again = await work.take(stores.settings())
    assert (again["snapshot"], again["postgres"]) == (first["snapshot"], first["postgres"])


async def test_the_newest_scheduled_backups_stay_and_those_made_by_hand_too(stores: Stores) -> None:
    await work.take(stores.settings(backup_name="by-hand", verify=False))
    for number in range(4):
        await work.take(stores.settings(backup_name=f"scheduled-{number}", is_scheduled=True, keep=2, verify=False))
    assert await names(stores) == {"by-hand", "scheduled-2", "scheduled-3"}


async def test_a_failing_backup_leaves_the_last_good_one(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    await work.take(stores.settings(backup_name="good", is_scheduled=True, keep=1))

    async def broken(*_: Any) -> Any:
        raise BrokenBackupError("read back otherwise than written")

    with monkeypatch.context() as patch:
        patch.setattr(postgres, "try_out", broken)
        with pytest.raises(BrokenBackupError):
            await work.take(stores.settings(backup_name="bad", is_scheduled=True, keep=1))
    assert await names(stores) == {"good"}
    nowhere = "postgresql://a:b@127.0.0.1:1/x"
    with pytest.raises(OSError, match="Connect call failed"):
        await work.take(stores.settings(backup_name="away", postgres_admin_url=nowhere, is_scheduled=True, keep=1))
    assert await names(stores) == {"good"}


def damage(repository: Path) -> None:
    """Flip bytes in the middle of every pack of data."""
    for pack in (path for path in (repository / "data").rglob("*") if path.is_file()):
        pack.chmod(0o600)
        content = bytearray(pack.read_bytes())
        content[len(content) // 3] ^= 0xFF
        pack.write_bytes(bytes(content))


@pytest.mark.parametrize("how", ["damaged", "incomplete", "unknown", "another password"])
async def test_a_backup_that_is_not_whole_is_refused_before_anything_is_touched(
    stores: Stores, others: Stores, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = (await work.take(stores.settings()))["snapshot"]
    repository = stores.root / "repository"
    match how:
        case "damaged":
            damage(repository)
        case "incomplete":
            largest = max((p for p in (repository / "data").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
            largest.unlink()
        case "unknown":
            snapshot = "0" * 64
        case _:
            monkeypatch.setenv("RESTIC_PASSWORD", "another")
    await others.fill(people=0, lessons=2)
    before = await held(others)
    # restic asks many times for what is gone
    for task in (work.restore,) if how == "incomplete" else (work.check, work.restore):
        with pytest.raises(BrokenBackupError):
            await task(others.settings(snapshot=snapshot))
    assert await held(others) == before


async def test_a_manifest_that_promises_more_than_is_there_is_refused(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = work.dump

    async def without_a_document(settings: Any) -> Path:
        folder = await dump(settings)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["collections"]["lesson_revisions"]["count"] += 1
        manifest["tables"]["public.users"]["checksum"] = "0" * 16
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    monkeypatch.setattr(work, "dump", without_a_document)
    with pytest.raises(BrokenBackupError, match=r"MongoDB's lesson_revisions has 25 entries, the backup 26.*users"):
        await work.take(stores.settings())
    assert await names(stores) == set()


async def test_postgresql_is_replaced_whole_or_not_at_all(stores: Stores, others: Stores) -> None:
    taken = await work.take(stores.settings())
    others_before = await held(others)
    await others.sql("REVOKE CREATE ON DATABASE " + others.database.name + " FROM PUBLIC")
    snapshot = await Repository("here/academy", cache=stores.root / "cache").fetch(
        taken["snapshot"], stores.root / "out"
    )
    with (snapshot / "postgres.dump").open("rb") as dump:
        whole = dump.read()
    (snapshot / "postgres.dump").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(postgres.PostgresError):
        await postgres.restore(postgres.Server(others.database.admin_url, others.database.name), snapshot)
    assert (await held(others))["tables"] == others_before["tables"]


async def test_nothing_is_readable_without_the_password(stores: Stores) -> None:
    await stores.sql("UPDATE users SET full_name = 'Known Plaintext Somewhere'")
    await work.take(stores.settings())
    files = [path.read_bytes() for path in (stores.root / "repository").rglob("*") if path.is_file()]
    assert files
    assert not any(b"Known Plaintext" in content or b"hashed_password" in content for content in files)


async def test_another_password_is_told_and_makes_no_second_repository(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    await work.take(stores.settings())
    monkeypatch.setenv("RESTIC_PASSWORD", "another")
    with pytest.raises(RepositoryError, match="wrong password"):
        await work.take(stores.settings(backup_name="second"))


async def test_the_program_tells_its_result_and_no_secret_in_its_arguments(stores: Stores) -> None:
    environment = stores.environment(BACKUP_NAME="by-program")
    command = [sys.executable, "-m", "smartcourse_backup", "backup"]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((stores.root / "result").read_text())
    assert len((stores.root / "result").read_bytes()) < 4096
    broken = {**environment, "SNAPSHOT": "0" * 64}
    refused = await asyncio.to_thread(
        subprocess.run, [*command[:-1], "check"], env=broken, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 3
    assert json.loads((stores.root / "result").read_text())["isBroken"]
    assert result["snapshot"]
    for text in (done.stdout, done.stderr, refused.stdout, refused.stderr):
        for secret in (os.environ["RESTIC_PASSWORD"], stores.mongo.root_password, stores.database.admin_url):
            assert secret not in text
