"""Certificates' files: made outside of requests, once each, whatever is killed in between."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pypdfium2
import pytest
import zxingcpp
from bson import ObjectId
from course_certificates import certified, pdf_of
from course_people import Person, problem
from killed_maker import STEPS
from pypdf import PdfReader

from course_service.config import Settings
from course_service.core import metrics
from course_service.core.mongodb import MongoDB
from course_service.printing.printer import Printer
from course_service.repositories.certificate import CertificateRepository
from course_service.repositories.file import CHUNK_BYTES, CHUNKS, FILES, UNSETTLED, FileRepository
from course_service.services import certificate_file
from course_service.services.certificate_file import CLAIM_SECONDS, CertificateMaker
from course_service.services.orphan_collector import FileCollector
from shared.database import Database
from shared.testing.servers import MongoServer, TestDatabase
from shared.utils.datetime import FixedClock

KILLED = Path(__file__).parents[1] / "support" / "killed_maker.py"
CERTIFICATE = """
WITH student AS (
  INSERT INTO users (email, hashed_password, full_name, role)
    VALUES ('s' || $1 || '@example.org', '-', 'Student ' || $1, 'student') RETURNING id
), course AS (
  INSERT INTO courses (title, slug, instructor_id) SELECT 'Course', 'course-' || $1, id FROM student RETURNING id
), enrollment AS (
  INSERT INTO enrollments (student_id, course_id, status, completed_at)
    SELECT student.id, course.id, 'completed', now() FROM student, course RETURNING id
)
INSERT INTO certificates (enrollment_id, certificate_number, issue_date, verification_code, grade)
  SELECT id, 'SC-' || $1, current_date, 'code-' || $1, 'A' FROM enrollment RETURNING id
"""
EXPIRE = "UPDATE certificates SET file_due_at = now() - interval '1 second' WHERE file_id IS NULL"


class Workshop:
    """Makers and the collector over the datastores, without a service around them."""

    def __init__(self, settings: Settings, clock: FixedClock) -> None:
        self.database = Database(settings)
        self.mongodb = MongoDB(settings.mongodb_url.get_secret_value())
        self.files = FileRepository(self.mongodb)
        self.clock = clock
        self.url = settings.public_url
        self.collector = FileCollector(self.database, self.files, clock)

    def maker(self) -> CertificateMaker:
        return CertificateMaker(self.database, self.files, Printer(), self.clock, public_url=self.url)

    async def counts(self) -> tuple[int, int, int]:
        """How many files, files that chunks belong to, and unsettled files there are."""
        stores = self.mongodb.database
        with_chunks = await stores[CHUNKS].distinct("files_id")
        files = await stores[FILES].count_documents({})
        return files, len(with_chunks), await stores[UNSETTLED].count_documents({})

    async def collect_later(self) -> None:
        self.clock.advance(timedelta(hours=2))
        await self.collector.collect()


@pytest.fixture
async def workshop(
    settings: Settings, database: TestDatabase, mongo_server: MongoServer, clock: FixedClock
) -> AsyncIterator[Workshop]:
    await database.truncate()
    workshop = Workshop(settings, clock)
    for name in (FILES, CHUNKS, UNSETTLED):
        await workshop.mongodb.database[name].delete_many({})
    yield workshop
    await workshop.mongodb.close()
    await workshop.database.dispose()


@asynccontextmanager
async def making(workshop: Workshop) -> AsyncIterator[CertificateMaker]:
    maker = workshop.maker()
    try:
        yield maker
    finally:
        await maker._printer.rest()


def killed_at(step: str, settings: Settings) -> int:
    """Run a maker in a process of its own until it is killed there; return the id of the process that printed."""
    values = {
        name.upper(): getattr(settings, name).get_secret_value()
        for name in ("database_url", "mongodb_url", "redis_url", "gateway_identity_key")
    }
    done = subprocess.run(
        [sys.executable, str(KILLED), step], env=os.environ | values, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == -9, done.stderr
    return int(done.stdout)


def has_ended(pid: int, *, timeout_seconds: float = 10) -> bool:
    """Whether a process that a killed one has started ends by itself; one that nobody waited for has."""
    until = time.monotonic() + timeout_seconds
    status = Path(f"/proc/{pid}/status")
    while time.monotonic() < until:
        if not status.exists() or "\nState:\tZ" in status.read_text():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("step", STEPS)
async def test_a_maker_killed_at_any_step_is_made_good(
    step: str, workshop: Workshop, settings: Settings, sql: asyncpg.Connection
) -> None:
    id_ = await sql.fetchval(CERTIFICATE, "1")
    printed_by = await asyncio.to_thread(killed_at, step, settings)
    async with making(workshop) as maker:
        assert not await maker.make_next()  # it is claimed, or made
        await sql.execute(EXPIRE)
        assert await maker.make_next() is (step != "referred")
        assert not await maker.make_next()
    row = await sql.fetchrow("SELECT file_id, certificate_url FROM certificates")
    assert row["certificate_url"] == f"/api/certificates/{id_}/pdf"
    await workshop.collect_later()
    assert await workshop.counts() == (1, 1, 0)
    assert await workshop.files.find_size(row["file_id"])
    assert not printed_by or await asyncio.to_thread(has_ended, printed_by)


async def test_several_makers_share_the_work_and_make_each_file_once(
    workshop: Workshop, sql: asyncpg.Connection
) -> None:
    for number in range(12):
        await sql.execute(CERTIFICATE, str(number))

    async def make_all() -> int:
        async with making(workshop) as maker:
            made = 0
            while await maker.make_next():
                made += 1
            return made

    made = await asyncio.gather(*(make_all() for _ in range(3)))
    assert sum(made) == 12
    assert min(made) > 0
    assert await sql.fetchval("SELECT count(DISTINCT file_id) FROM certificates") == 12
    assert await sql.fetchval("SELECT max(file_attempts) FROM certificates") == 1
    assert await workshop.counts() == (12, 12, 0)


async def test_a_maker_that_was_too_slow_leaves_the_file_of_the_faster(
    workshop: Workshop, sql: asyncpg.Connection
) -> None:
    await sql.execute(CERTIFICATE, "1")
    async with making(workshop) as slow, making(workshop) as fast:
        async with workshop.database.begin() as session:
            card = await CertificateRepository(session).claim_due(seconds=CLAIM_SECONDS)
        assert card is not None
        await sql.execute(EXPIRE)
        await fast.make_next()
        file_id = await sql.fetchval("SELECT file_id FROM certificates")
        await slow._make(card)
    assert await sql.fetchval("SELECT file_id FROM certificates") == file_id
    assert await workshop.counts() == (1, 1, 0)


async def test_a_claim_lasts_longer_with_every_attempt(workshop: Workshop, sql: asyncpg.Connection) -> None:
    await sql.execute(CERTIFICATE, "1")
    left = "SELECT extract(epoch FROM file_due_at - clock_timestamp())::float8 FROM certificates"
    for attempt in (1, 2, 3):
        async with workshop.database.begin() as session:
            assert await CertificateRepository(session).claim_due(seconds=60) is not None
        assert await sql.fetchval(left) == pytest.approx(60 * attempt, abs=10)
        await sql.execute(EXPIRE)


async def test_while_mongodb_is_away_a_file_waits_and_is_made_afterwards(
    workshop: Workshop, sql: asyncpg.Connection, mongo_server: MongoServer
) -> None:
    await sql.execute(CERTIFICATE, "1")
    failed = metrics.CERTIFICATES_FAILED._value.get()
    async with making(workshop) as maker:
        mongo_server.stop()
        try:
            assert await maker.make_next()
        finally:
            mongo_server.start()
        assert metrics.CERTIFICATES_FAILED._value.get() == failed + 1
        assert maker._printer._process is None  # nothing is printed that can't be kept
        row = await sql.fetchrow("SELECT file_attempts, file_due_at - clock_timestamp() AS wait FROM certificates")
        assert row["file_attempts"] == 1
        assert row["wait"] <= timedelta(seconds=2)
        await maker._observe()
        assert metrics.CERTIFICATES_PENDING._value.get() == 1
        await sql.execute(EXPIRE)
        assert await maker.make_next()
        await maker._observe()
    assert metrics.CERTIFICATES_PENDING._value.get() == 0
    assert await sql.fetchval("SELECT file_id FROM certificates") is not None


async def test_a_page_that_cannot_be_printed_does_not_hold_up_the_others(
    workshop: Workshop, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = await sql.fetchval(CERTIFICATE, "1")
    await sql.execute(
        "UPDATE certificates SET verification_code = repeat('x', 50), file_due_at = now() - interval '1h'"
    )
    good = await sql.fetchval(CERTIFICATE, "2")
    async with making(workshop) as maker:
        printing = maker._printer.print

        async def refuse_the_first(facts: Any) -> bytes:
            return await printing(facts if "SC-2" in facts.certificate_number else replace(facts, issue_date="never"))

        monkeypatch.setattr(maker._printer, "print", refuse_the_first)
        while await maker.make_next():
            pass
    rows = {row["id"]: row["file_id"] for row in await sql.fetch("SELECT id, file_id FROM certificates")}
    assert rows[bad] is None
    assert rows[good] is not None
    await workshop.collect_later()
    assert await workshop.counts() == (1, 1, 0)


async def test_what_is_still_being_written_is_not_collected(workshop: Workshop, sql: asyncpg.Connection) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"x" * 300_000
        workshop.clock.advance(timedelta(minutes=59))
        assert await workshop.collector.collect() == 0
        yield b"y"

    stored = await workshop.files.add(parts(), filename="a", content_type="text/plain", at=workshop.clock.now())
    assert await workshop.counts() == (1, 1, 1)
    assert await workshop.files.find_size(stored.id) == 300_001
    workshop.clock.advance(timedelta(minutes=2))
    assert await workshop.collector.collect() == 1
    assert await workshop.counts() == (0, 0, 0)


@pytest.fixture
def never_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate_file, "POLL_SECONDS", 600.0)


async def test_a_file_is_made_as_soon_as_its_certificate_is_given(
    never_polls: None, instructor: Person, student: Person, settings: Settings
) -> None:
    certificate = await certified(instructor, student, "Weaving")
    answer = await pdf_of(student, certificate)
    assert answer.status_code == 200
    text = " ".join(PdfReader(io.BytesIO(answer.content)).pages[0].extract_text().split())
    for said in ("The student", "Weaving", certificate["certificate_number"][:7]):
        assert said in text
    page = pypdfium2.PdfDocument(answer.content)[0].render(scale=2).to_pil()
    (code,) = zxingcpp.read_barcodes(page)
    assert code.text == certificate["verification_url"]
    assert code.text.startswith(settings.public_url)
    shown = (await student.get(f"/api/certificates/{certificate['id']}")).json()
    assert shown["certificate_url"] == f"/api/certificates/{certificate['id']}/pdf"


async def test_a_file_is_sent_to_be_saved_and_is_known_by_its_tag(instructor: Person, student: Person) -> None:
    certificate = await certified(instructor, student)
    answer = await pdf_of(student, certificate)
    assert answer.headers["Content-Type"] == "application/pdf"
    number = certificate["certificate_number"]
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{number}.pdf"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    path = f"/api/certificates/{certificate['id']}/pdf"
    unchanged = await student.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    part = await student.get(path, headers={"Range": "bytes=0-4"})
    assert (part.status_code, part.content) == (206, b"%PDF-")


@pytest.mark.parametrize("lost", [[FILES], [CHUNKS], [FILES, CHUNKS]], ids=" and ".join)
async def test_a_file_that_was_lost_is_made_anew(
    lost: list[str], instructor: Person, student: Person, settings: Settings
) -> None:
    certificate = await certified(instructor, student)
    before = await pdf_of(student, certificate)
    mongodb = MongoDB(settings.mongodb_url.get_secret_value())
    file_id = ObjectId(before.headers["ETag"].strip('"'))
    for name in lost:
        await mongodb.database[name].delete_many({"_id" if name == FILES else "files_id": file_id})
    path = f"/api/certificates/{certificate['id']}/pdf"
    assert (await student.get(path)).status_code == 202
    after = await pdf_of(student, certificate)
    assert after.headers["ETag"] != before.headers["ETag"]
    assert after.content.startswith(b"%PDF-")
    assert await mongodb.database[FILES].count_documents({"_id": file_id}) == 0
    assert await mongodb.database[CHUNKS].count_documents({"files_id": file_id}) == 0
    await mongodb.close()


async def test_a_file_that_lost_any_of_its_chunks_is_not_whole(workshop: Workshop) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"x" * (2 * CHUNK_BYTES + 1)

    for number in range(3):
        stored = await workshop.files.add(parts(), filename="a", content_type="text/plain", at=workshop.clock.now())
        assert await workshop.files.find_size(stored.id) == 2 * CHUNK_BYTES + 1
        await workshop.mongodb.database[CHUNKS].delete_one({"files_id": ObjectId(stored.id), "n": number})
        assert await workshop.files.find_size(stored.id) is None


async def test_without_mongodb_a_certificate_is_given_and_its_file_is_503(
    instructor: Person, student: Person, mongo_server: MongoServer
) -> None:
    certificate = await certified(instructor, student)
    await pdf_of(student, certificate)
    mongo_server.stop()
    try:
        problem(await student.get(f"/api/certificates/{certificate['id']}/pdf"), 503)
        assert (await student.get(certificate["verification_url"])).json()["is_valid"] is True
    finally:
        mongo_server.start()
    assert (await pdf_of(student, certificate)).status_code == 200
