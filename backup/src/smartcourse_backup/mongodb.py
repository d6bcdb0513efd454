"""MongoDB: every collection as the BSON that it is, and the way back.

What MongoDB holds is never changed, and is written before the PostgreSQL row that points to it. Dumped after PostgreSQL
it thus holds all that the dumped rows point to, and perhaps something newer that nothing points to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bson import decode, encode
from bson.codec_options import CodecOptions
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps, loads
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReplaceOne
from pymongo.database import Database

from smartcourse_backup.manifest import MODULUS, BrokenBackupError, Collection, Content, Manifest

FOLDER = "mongodb"
LENGTH_BYTES = 4
BATCH_BYTES = 8 << 20
BATCH_DOCUMENTS = 500
OWN_INDEX = "_id_"
INDEX_KEYS_LEFT_OUT = {"v", "ns", "key", "background"}

Raw = RawBSONDocument
RAW: CodecOptions[Raw] = CodecOptions(document_class=RawBSONDocument)


class Sum:
    """Counts documents and adds their digests up; the order makes no difference."""

    def __init__(self) -> None:
        self.count = self.total = 0

    def add(self, document: bytes | memoryview) -> None:
        self.count += 1
        self.total += int.from_bytes(hashlib.sha256(document).digest()[:8], "big")

    @property
    def checksum(self) -> str:
        return f"{self.total % MODULUS:016x}"


def connect(url: str) -> MongoClient[Raw]:
    return MongoClient(url, document_class=RawBSONDocument, serverSelectionTimeoutMS=30_000)


def file_name(collection: str) -> str:
    return f"{FOLDER}/{quote(collection, safe='')}.bson"


def names(database: Database[Raw]) -> list[str]:
    return sorted(name for name in database.list_collection_names() if not name.startswith("system."))


def dump(database: Database[Raw], folder: Path) -> dict[str, Collection]:
    """Write every collection to a file of BSON documents, one after the other, as mongodump does."""
    (folder / FOLDER).mkdir()
    found = {}
    for name in names(database):
        total = Sum()
        with (folder / file_name(name)).open("wb") as file:
            for document in stored(database, name):
                file.write(document.raw)
                total.add(document.raw)
        found[name] = Collection(count=total.count, checksum=total.checksum, indexes=indexes(database, name))
    return found


def indexes(database: Database[Raw], name: str) -> list[dict[str, Any]]:
    """Return the definitions of a collection's indexes but its own, as extended JSON."""
    plain: CodecOptions[dict[str, Any]] = CodecOptions()
    listed = database.get_collection(name).with_options(codec_options=plain).list_indexes()
    made = [json.loads(dumps(decode(encode(one)), json_options=CANONICAL_JSON_OPTIONS)) for one in listed]
    return [one for one in made if one["name"] != OWN_INDEX]


def documents(path: Path) -> Iterator[Raw]:
    """Yield the documents of a file.

    Raises:
        BrokenBackupError: it ends within one, or holds something else.
    """
    with path.open("rb") as file:
        while head := file.read(LENGTH_BYTES):
            length = int.from_bytes(head, "little")
            body = file.read(length - LENGTH_BYTES) if length > LENGTH_BYTES else b""
            if len(head) + len(body) != length:
                raise BrokenBackupError(f"{path.name} ends within a document")
            document = RawBSONDocument(head + body)
            if "_id" not in document:
                raise BrokenBackupError(f"{path.name} holds a document without _id")
            yield document


def stored(database: Database[Raw], name: str) -> Iterator[Raw]:
    """Yield the documents that a collection holds."""
    yield from database.get_collection(name, codec_options=RAW).find({})


def summed(found: Iterable[Raw]) -> Content:
    total = Sum()
    for document in found:
        total.add(document.raw)
    return Content(count=total.count, checksum=total.checksum)


def read_back(folder: Path, wanted: dict[str, Collection]) -> dict[str, Content]:
    """Return what the files hold, every document read."""
    return {name: summed(documents(folder / file_name(name))) for name in wanted}


def contents(database: Database[Raw]) -> dict[str, Content]:
    """Return what every collection holds now."""
    return {name: summed(stored(database, name)) for name in names(database)}


def add(database: Database[Raw], folder: Path, wanted: dict[str, Collection]) -> None:
    """Bring every document of the backup into the database; what else is there stays, so that no row loses its own."""
    for name, collection in wanted.items():
        target = database.get_collection(name, codec_options=RAW)
        present = digests(database, name)
        batch: list[ReplaceOne[Raw]] = []
        size = 0
        for document in documents(folder / file_name(name)):
            if present.get(key_of(document)) == digest_of(document):
                continue
            batch.append(ReplaceOne({"_id": document["_id"]}, document, upsert=True))
            size += len(document.raw)
            if size > BATCH_BYTES or len(batch) >= BATCH_DOCUMENTS:
                target.bulk_write(batch, ordered=False)
                batch, size = [], 0
        if batch:
            target.bulk_write(batch, ordered=False)
        for index in collection.indexes:
            make_index(database, name, index)


def make_index(database: Database[Raw], name: str, index: dict[str, Any]) -> None:
    keys = [(field, int(order) if isinstance(order, int | float) else order) for field, order in loaded(index["key"])]
    options = {key: loads(json.dumps(value)) for key, value in index.items() if key not in INDEX_KEYS_LEFT_OUT}
    if {"name", "key"} <= index.keys():
        database.get_collection(name).create_index(keys, **options)


def loaded(key: dict[str, Any]) -> list[tuple[str, Any]]:
    return list(loads(json.dumps(key)).items())


def remove_others(database: Database[Raw], folder: Path, wanted: dict[str, Collection]) -> None:
    """Take out what the backup does not hold, once no row points to it any more."""
    for name in names(database):
        if name not in wanted:
            database.drop_collection(name)
            continue
        kept = {key_of(document) for document in documents(folder / file_name(name))}
        target = database.get_collection(name, codec_options=RAW)
        others = [one["_id"] for one in target.find({}, {"_id": 1}) if key_of(one) not in kept]
        for start in range(0, len(others), BATCH_DOCUMENTS):
            target.delete_many({"_id": {"$in": others[start : start + BATCH_DOCUMENTS]}})


def digests(database: Database[Raw], name: str) -> dict[bytes, bytes]:
    """Return the digest of every document that is there, by its key."""
    return {key_of(document): digest_of(document) for document in stored(database, name)}


def lacking(database: Database[Raw], folder: Path, wanted: Manifest) -> list[str]:
    """Return in words which documents of a backup the database does not hold as they are there."""
    told = []
    for name in wanted.collections:
        present = digests(database, name)
        found = (present.get(key_of(one)) == digest_of(one) for one in documents(folder / file_name(name)))
        if missing := sum(not is_there for is_there in found):
            told.append(f"{missing} of {name}")
    return told


def key_of(document: Raw) -> bytes:
    return encode({"_id": document["_id"]})


def digest_of(document: Raw) -> bytes:
    return hashlib.sha256(document.raw).digest()
