"""What a backup says of itself, and how servers are told of to PostgreSQL's programs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from bson import encode

from smartcourse_backup import mongodb, postgres
from smartcourse_backup.manifest import FILE, BrokenBackupError, Content, Manifest, describe, differences, total


def content(count: int, checksum: str = "a") -> Content:
    return Content(count=count, checksum=checksum)


def written(folder: Path) -> Manifest:
    (folder / "postgres.dump").write_bytes(b"rows")
    manifest = Manifest(
        source="here/academy", release="1.0.0", taken_at=datetime(2026, 5, 1, tzinfo=UTC), tables={}, collections={},
        files={"postgres.dump": describe(folder / "postgres.dump")},
    )  # fmt: skip
    (folder / FILE).write_text(manifest.model_dump_json())
    return manifest


def test_a_manifest_holds_each_file_to_its_digest(tmp_path: Path) -> None:
    manifest = written(tmp_path)
    assert Manifest.read(tmp_path) == manifest
    (tmp_path / "postgres.dump").write_bytes(b"r0ws")
    with pytest.raises(BrokenBackupError, match=r"postgres\.dump is damaged"):
        Manifest.read(tmp_path)
    (tmp_path / "postgres.dump").unlink()
    with pytest.raises(BrokenBackupError, match=r"lacks postgres\.dump"):
        Manifest.read(tmp_path)
    (tmp_path / FILE).unlink()
    with pytest.raises(BrokenBackupError, match=r"no readable manifest\.json"):
        Manifest.read(tmp_path)


def test_differences_are_told_by_name_and_an_empty_collection_is_none() -> None:
    wanted = {"users": content(3), "courses": content(2), "empty": content(0, "0")}
    assert differences(wanted, {"users": content(3), "courses": content(2)}, "x") == []
    assert differences(wanted, {"users": content(3, "b"), "courses": content(1), "new": content(1)}, "MongoDB's") == [
        "MongoDB's courses has 1 entries, the backup 2",
        "MongoDB's new has 1 entries, the backup 0",
        "MongoDB's users differs in content",
    ]


def test_a_store_has_one_checksum_that_tells_its_parts_apart() -> None:
    assert total({"a": content(1), "b": content(2)}) == total({"b": content(2), "a": content(1), "c": content(0)})
    assert total({"a": content(1, "x")})["checksum"] != total({"b": content(1, "x")})["checksum"]


def test_the_order_of_documents_makes_no_difference_and_their_content_does() -> None:
    first, second, other = (encode({"_id": number}) for number in (1, 2, 3))
    sums = [mongodb.Sum() for _ in range(3)]
    for made, documents in zip(sums, ((first, second), (second, first), (first, other)), strict=True):
        for document in documents:
            made.add(document)
    assert sums[0].checksum == sums[1].checksum != sums[2].checksum


def test_a_file_that_ends_within_a_document_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "lessons.bson"
    path.write_bytes(encode({"_id": 1}) + encode({"_id": 2, "body": "x"})[:-3])
    with pytest.raises(BrokenBackupError, match="ends within a document"):
        list(mongodb.documents(path))


def test_postgresqls_programs_are_told_by_the_environment() -> None:
    server = postgres.Server("postgresql://ad%40min:p%2Fw@db.example:5433/postgres?sslmode=require", "smartcourse")
    assert server.environment | {
        "PGHOST": "db.example", "PGPORT": "5433", "PGUSER": "ad@min", "PGPASSWORD": "p/w", "PGDATABASE": "smartcourse",
        "PGSSLMODE": "require",
    } == server.environment  # fmt: skip
    with pytest.raises(ValueError, match="gssencmode"):
        postgres.Server("postgresql://a:b@c/d?gssencmode=disable", "smartcourse")
