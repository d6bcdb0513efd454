"""Files of lessons: added by authors, read by whoever may read the lesson's body."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import httpx
import pytest
from course_people import Person, lessons_of, problem
from fastapi import FastAPI

from course_service.config import Settings
from course_service.core.mongodb import MongoDB
from course_service.repositories.file import CHUNKS, FILES, UNSETTLED
from course_service.services import attachment
from shared.identity import Role
from shared.testing.servers import MongoServer

Become = Callable[..., Awaitable[Person]]
LIMIT = 3_000_000
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(range(256)) * 3000
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0" + b"\0" * 100


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_attachment_bytes": LIMIT})


@pytest.fixture
async def stores(app: FastAPI, settings: Settings) -> AsyncIterator[Any]:
    """The collections of files, empty at first."""
    mongodb = MongoDB(settings.mongodb_url.get_secret_value())
    for name in (FILES, CHUNKS, UNSETTLED):
        await mongodb.database[name].delete_many({})
    yield mongodb.database
    await mongodb.close()


async def counts(stores: Any) -> list[int]:
    return [await stores[name].count_documents({}) for name in (FILES, CHUNKS, UNSETTLED)]


async def attach(
    person: Person, lesson: dict[str, Any], content: bytes = PDF, name: str = "notes.pdf", sent_as: str = "x/y"
) -> httpx.Response:
    path = f"/api/lessons/{lesson['id']}/attachments"
    return await person.client.post(path, files={"file": (name, content, sent_as)})


async def attached(person: Person, lesson: dict[str, Any], *args: Any) -> dict[str, Any]:
    answer = await attach(person, lesson, *args)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/api/attachments/{made['id']}"
    return made


@pytest.fixture
async def course(instructor: Person) -> dict[str, Any]:
    return await instructor.publish_course()


@pytest.fixture
def lesson(course: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = course["modules"][0]["lessons"][0]
    return found


async def test_a_file_comes_back_as_it_was_sent(instructor: Person, lesson: dict[str, Any], stores: Any) -> None:
    made = await attached(instructor, lesson, PDF, "../Prüfung\u202e 1.pdf", "text/html")
    assert made["filename"] == "Prüfung 1.pdf"
    assert made["content_type"] == "application/pdf"
    assert made["size_bytes"] == len(PDF)
    assert made["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert made["uploaded_by_id"] == instructor.id
    assert (await instructor.get(f"/api/attachments/{made['id']}")).json() == made
    assert (await instructor.get(f"/api/lessons/{lesson['id']}/attachments")).json() == [made]
    content = await instructor.get(made["content_url"])
    assert content.content == PDF
    assert content.headers["Content-Type"] == "application/pdf"
    assert content.headers["Content-Length"] == str(len(PDF))
    assert content.headers["Content-Disposition"] == (
        "attachment; filename=\"Prufung 1.pdf\"; filename*=UTF-8''Pr%C3%BCfung%201.pdf"
    )
    assert content.headers["X-Content-Type-Options"] == "nosniff"
    assert content.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert content.headers["Cache-Control"].startswith("private")
    assert await counts(stores) == [1, -(-len(PDF) // (255 * 1024)), 0]


@pytest.mark.parametrize("size", [2, 255 * 1024 - 1, 255 * 1024, 255 * 1024 + 1, 3 * 255 * 1024, LIMIT])
async def test_every_size_up_to_the_limit_is_whole(instructor: Person, lesson: dict[str, Any], size: int) -> None:
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    made = await attached(instructor, lesson, content, "n.txt")
    assert (made["size_bytes"], made["content_type"]) == (size, "text/plain")
    assert (await instructor.get(made["content_url"])).content == content


async def test_ranges_and_conditions(instructor: Person, lesson: dict[str, Any]) -> None:
    made = await attached(instructor, lesson)
    url, whole = made["content_url"], await instructor.get(made["content_url"])
    etag = whole.headers["ETag"]
    for header, start, end in (("bytes=0-9", 0, 10), ("bytes=261000-270000", 261_000, 270_001), ("bytes=-7", -7, None)):
        part = await instructor.get(url, headers={"Range": header})
        assert part.status_code == 206
        assert part.content == PDF[start:end]
        assert part.headers["Content-Range"].endswith(f"/{len(PDF)}")
        assert part.headers["Content-Length"] == str(len(part.content))
    beyond = await instructor.get(url, headers={"Range": f"bytes={len(PDF)}-"})
    problem(beyond, 416)
    assert beyond.headers["Content-Range"] == f"bytes */{len(PDF)}"
    assert (await instructor.get(url, headers={"Range": "bytes=0-1,3-4"})).status_code == 200
    unchanged = await instructor.get(url, headers={"If-None-Match": f'W/"x", {etag}'})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["ETag"]) == (304, b"", etag)
    for tag, status in ((etag, 206), ('"other"', 200), ("Tue, 24 Nov 2026 00:00:00 GMT", 200)):
        continued = await instructor.get(url, headers={"Range": "bytes=5-", "If-Range": tag})
        assert continued.status_code == status


REFUSED: dict[str, tuple[bytes, int, str]] = {
    "a page": (b"<!DOCTYPE html><html><script>alert(1)</script></html>", 415, "file-type-not-allowed"),
    "a drawing that runs": (
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
        415,
        "file-type-not-allowed",
    ),
    "a program": (b"\x7fELF\2\1\1" + b"\0" * 100, 415, "file-type-not-allowed"),
    "nothing": (b"", 422, "empty-file"),
    "one byte too much": (b"x" * (LIMIT + 1), 413, "attachment-too-large"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_file_that_is_refused_leaves_nothing(
    what: str, instructor: Person, lesson: dict[str, Any], stores: Any
) -> None:
    content, status, slug = REFUSED[what]
    refused = problem(await attach(instructor, lesson, content, "image.png", "image/png"), status)
    assert refused["type"] == f"urn:smartcourse:problem:{slug}"
    assert await counts(stores) == [0, 0, 0]
    assert (await instructor.get(f"/api/lessons/{lesson['id']}/attachments")).json() == []


async def test_a_file_that_is_too_large_is_given_up_while_it_arrives(
    instructor: Person, lesson: dict[str, Any], stores: Any
) -> None:
    """The answer waits for the end of the body; nothing of it is kept meanwhile."""
    left: list[list[int]] = []

    async def body() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        for _ in range(LIMIT // 100_000 + 2):
            yield b"x" * 100_000
        left.append(await counts(stores))
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    path = f"/api/lessons/{lesson['id']}/attachments"
    problem(await instructor.client.post(path, content=body(), headers=headers), 413)
    assert left == [[0, 0, 0]]


async def test_an_upload_that_breaks_off_leaves_nothing(
    instructor: Person, lesson: dict[str, Any], stores: Any
) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    path = f"/api/lessons/{lesson['id']}/attachments"
    answer = await instructor.client.post(
        path, content=head + b"x" * 1_000_000, headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert problem(answer, 400)["type"] == "urn:smartcourse:problem:malformed-upload"
    assert await counts(stores) == [0, 0, 0]


@pytest.mark.parametrize("body", [b"", b"{}", b"--b--\r\n"])
async def test_what_is_no_form_is_400(instructor: Person, lesson: dict[str, Any], body: bytes) -> None:
    path = f"/api/lessons/{lesson['id']}/attachments"
    for content_type in ("application/json", "multipart/form-data", "multipart/form-data; boundary=b"):
        problem(await instructor.client.post(path, content=body, headers={"Content-Type": content_type}), 400)


async def test_an_upload_has_its_time(
    instructor: Person, lesson: dict[str, Any], stores: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachment, "MAX_UPLOAD_SECONDS", 0.5)

    async def body() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + b"x" * 300_000
        await asyncio.sleep(20)

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    path = f"/api/lessons/{lesson['id']}/attachments"
    problem(await instructor.client.post(path, content=body(), headers=headers), 408)
    assert await counts(stores) == [0, 0, 0]


async def test_a_lesson_has_so_many_files_even_if_they_come_at_once(
    instructor: Person, lesson: dict[str, Any], sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachment, "MAX_ATTACHMENTS", 3)
    answers = await asyncio.gather(*(attach(instructor, lesson, PNG, f"{n}.png") for n in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5
    assert await sql.fetchval("SELECT count(*) FROM attachments") == 3
    made = (await instructor.get(f"/api/lessons/{lesson['id']}/attachments")).json()
    assert (await instructor.delete(f"/api/attachments/{made[0]['id']}")).status_code == 204
    assert (await attach(instructor, lesson, PNG)).status_code == 201


async def test_a_file_taken_away_is_gone_and_its_bytes_are_kept(
    instructor: Person, admin: Person, lesson: dict[str, Any], stores: Any, sql: asyncpg.Connection
) -> None:
    made = await attached(instructor, lesson, PNG)
    assert (await admin.delete(f"/api/attachments/{made['id']}")).status_code == 204
    for path in (f"/api/attachments/{made['id']}", made["content_url"]):
        problem(await instructor.get(path), 404)
    problem(await instructor.delete(f"/api/attachments/{made['id']}"), 404)
    assert (await instructor.get(f"/api/lessons/{lesson['id']}/attachments")).json() == []
    assert await sql.fetchval("SELECT archived_at FROM attachments") is not None
    assert await counts(stores) == [1, 1, 0]


def reads(person: Person, lesson: dict[str, Any], made: dict[str, Any]) -> Iterator[Awaitable[httpx.Response]]:
    yield person.get(f"/api/lessons/{lesson['id']}/attachments")
    yield person.get(f"/api/attachments/{made['id']}")
    yield person.get(made["content_url"])


async def assert_reads(person: Person, lesson: dict[str, Any], made: dict[str, Any], status: int) -> None:
    for answer in [await request for request in reads(person, lesson, made)]:
        assert answer.status_code == status, answer.text


async def test_a_file_is_readable_exactly_where_the_body_is(
    instructor: Person,
    other_instructor: Person,
    student: Person,
    admin: Person,
    anonymous: Person,
    course: dict[str, Any],
    lesson: dict[str, Any],
    become: Become,
) -> None:
    made = await attached(instructor, lesson)
    body = f"{lessons_of(course['modules'][0])}/{lesson['id']}"
    dropped, suspended = await become(Role.STUDENT), await become(Role.STUDENT)
    everybody = [anonymous, student, other_instructor, dropped, suspended, instructor, admin]

    async def assert_alike() -> list[int]:
        statuses = []
        for person in everybody:
            statuses.append((await person.get(body)).status_code)
            await assert_reads(person, lesson, made, statuses[-1])
        return statuses

    assert await assert_alike() == [401, 403, 403, 403, 403, 200, 200]
    await student.enroll(course)
    await dropped.delete(f"/api/enrollments/{(await dropped.enroll(course))['id']}")
    suspension = f"/api/enrollments/{(await suspended.enroll(course))['id']}/suspend"
    await admin.post(suspension, {"reason": "Copied"})
    assert await assert_alike() == [401, 200, 403, 403, 403, 200, 200]
    await instructor.patch(body, {"is_preview": True})
    assert await assert_alike() == [200] * 7
    await instructor.patch(body, {"is_preview": False})
    await instructor.create_lesson(course["modules"][0], "Keeps the course public")
    await instructor.patch(body, {"is_published": False})
    assert await assert_alike() == [404, 404, 404, 404, 404, 200, 200]
    await instructor.patch(body, {"is_published": True})
    await instructor.post(f"/api/courses/{course['id']}/archive")
    archived = await assert_alike()
    assert (archived[0], archived[1], archived[2], archived[5:]) == (404, 200, 404, [200, 200])


async def test_only_the_author_and_admins_add_and_take_away(
    instructor: Person,
    other_instructor: Person,
    student: Person,
    admin: Person,
    anonymous: Person,
    course: dict[str, Any],
    lesson: dict[str, Any],
) -> None:
    await student.enroll(course)
    made = await attached(instructor, lesson, PNG)
    for person, status in ((anonymous, 401), (student, 403), (other_instructor, 403)):
        problem(await attach(person, lesson), status)
        problem(await person.delete(f"/api/attachments/{made['id']}"), status)
    assert (await attach(admin, lesson, PNG)).status_code == 201
    draft = await instructor.create_course("Secret")
    hidden = await instructor.create_lesson(await instructor.create_module(draft["id"]))
    secret = await attached(instructor, hidden, PNG)
    problem(await attach(other_instructor, hidden), 404)
    problem(await other_instructor.delete(f"/api/attachments/{secret['id']}"), 404)
    await assert_reads(other_instructor, hidden, secret, 404)
    problem(await attach(instructor, {"id": 999_999}), 404)
    await instructor.post(f"/api/courses/{course['id']}/archive")
    problem(await attach(instructor, lesson, PNG), 409)
    problem(await instructor.delete(f"/api/attachments/{made['id']}"), 409)


async def test_files_of_a_lesson_taken_away_are_gone_with_it(
    instructor: Person, course: dict[str, Any], lesson: dict[str, Any]
) -> None:
    made = await attached(instructor, lesson, PNG)
    await instructor.create_lesson(course["modules"][0], "Another")
    await instructor.delete(f"{lessons_of(course['modules'][0])}/{lesson['id']}")
    await assert_reads(instructor, lesson, made, 404)


async def test_a_file_whose_author_lost_the_right_meanwhile_is_not_added(
    instructor: Person, course: dict[str, Any], lesson: dict[str, Any], stores: Any
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhello'
        await instructor.post(f"/api/courses/{course['id']}/archive")
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    path = f"/api/lessons/{lesson['id']}/attachments"
    problem(await instructor.client.post(path, content=body(), headers=headers), 409)
    assert await counts(stores) == [1, 1, 1]  # what is left is collected


async def test_without_mongodb_files_are_503_and_what_is_known_of_them_is_told(
    instructor: Person, lesson: dict[str, Any], mongo_server: MongoServer
) -> None:
    made = await attached(instructor, lesson)
    mongo_server.stop()
    try:
        problem(await attach(instructor, lesson), 503)
        problem(await instructor.get(made["content_url"]), 503)
        assert (await instructor.get(f"/api/attachments/{made['id']}")).json() == made
    finally:
        mongo_server.start()
    assert (await instructor.get(made["content_url"])).content == PDF


async def test_a_file_that_is_in_its_lesson_is_told_so_though_mongodb_goes_away_before_it_is_settled(
    instructor: Person,
    course: dict[str, Any],
    lesson: dict[str, Any],
    stores: Any,
    sql: asyncpg.Connection,
    mongo_server: MongoServer,
) -> None:
    """The course is locked while the file arrives, so MongoDB goes after the file is whole and before its row is."""
    lock = sql.transaction()

    async def body() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + b"x" * 10_000
        await lock.start()
        await sql.execute("SELECT 1 FROM courses WHERE id = $1 FOR UPDATE", course["id"])
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    path = f"/api/lessons/{lesson['id']}/attachments"
    arriving = asyncio.create_task(instructor.client.post(path, content=body(), headers=headers))
    async with asyncio.timeout(30):
        while await counts(stores) != [1, 1, 1]:  # noqa: ASYNC110 - MongoDB tells nobody
            await asyncio.sleep(0.02)
    mongo_server.stop()
    try:
        await lock.rollback()
        answer = await arriving
    finally:
        mongo_server.start()
    assert answer.status_code == 201, answer.text
    assert [row["id"] for row in await sql.fetch("SELECT id FROM attachments")] == [answer.json()["id"]]
    assert (await instructor.get(answer.json()["content_url"])).content == b"x" * 10_000
