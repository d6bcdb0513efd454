"""Backups in a bucket of a real S3 server, named as the operator's Jobs name it."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.testing.processes import Process, free_port
from smartcourse_backup import work
from smartcourse_backup.repository import RepositoryError

from .conftest import Stores
from .test_backups import held, names

BUCKET = "backups"


@dataclass(frozen=True)
class Bucket:
    """An empty bucket, who may use it, and the folder that its server keeps it in."""

    endpoint: str
    access_key: str
    secret_key: str
    folder: Path


def answers(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def bucket(root: Path) -> Iterator[Bucket]:
    """Versity's S3 gateway over a folder; the program is named by VERSITYGW."""
    made = Bucket(
        f"http://127.0.0.1:{(port := free_port())}", "backup", secrets.token_hex(16), root / "objects" / BUCKET
    )
    made.folder.mkdir(parents=True)
    keys = {"ROOT_ACCESS_KEY": made.access_key, "ROOT_SECRET_KEY": made.secret_key}
    command = [os.environ["VERSITYGW"], "--port", f"127.0.0.1:{port}", "posix", str(made.folder.parent)]
    server = Process(command, log=root / "s3.log", environment=os.environ | keys)
    server.wait_until(lambda: answers(port))
    try:
        yield made
    finally:
        server.stop()


@pytest.fixture
def kept_there(bucket: Bucket, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Have the stores' backups go to the bucket."""
    monkeypatch.setenv("RESTIC_REPOSITORY", f"s3:{bucket.endpoint}/{BUCKET}/here/academy")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", bucket.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", bucket.secret_key)
    return bucket


async def test_what_a_bucket_holds_is_restored_into_other_stores(
    kept_there: Bucket, stores: Stores, others: Stores
) -> None:
    before = await held(stores)
    taken = await work.take(stores.settings())
    assert taken["isVerified"]
    await work.restore(others.settings(snapshot=taken["snapshot"]))
    assert await held(others) == before
    objects = [path for path in (kept_there.folder / "here/academy").rglob("*") if path.is_file()]
    assert len(objects) > 3
    assert not any(b"example.org" in path.read_bytes() for path in objects), "what leaves the cluster is encrypted"


async def test_the_newest_scheduled_backups_stay_in_a_bucket(kept_there: Bucket, stores: Stores) -> None:
    for name in ("first", "second", "third"):
        await work.take(stores.settings(backup_name=name, is_scheduled=True, keep=2, verify=False))
    assert await names(stores) == {"second", "third"}


async def test_keys_that_the_bucket_does_not_know_are_told_and_not_repeated(
    kept_there: Bucket, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = secrets.token_hex(16)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", wrong)
    with pytest.raises(RepositoryError, match=r"(?i)signature|access denied") as refused:
        await work.take(stores.settings())
    assert wrong not in str(refused.value)
    assert not list(kept_there.folder.iterdir())


async def test_a_bucket_that_is_not_there_is_made_where_the_keys_may(kept_there: Bucket, stores: Stores) -> None:
    kept_there.folder.rmdir()
    await work.take(stores.settings(verify=False))
    assert await names(stores) == {"first"}
    assert list(kept_there.folder.iterdir())
