"""Students who have earned a certificate, and the certificates they get."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from course_people import Person


async def completed(instructor: Person, student: Person, title: str = "A course") -> dict[str, Any]:
    """The student's enrollment in a course of one lesson, completed."""
    course = await instructor.publish_course(title)
    enrollment = await student.enroll(course)
    await student.complete(course["modules"][0]["lessons"][0])
    return enrollment


async def ask(person: Person, enrollment: dict[str, Any]) -> httpx.Response:
    return await person.post(f"/api/enrollments/{enrollment['id']}/certificate")


async def certified(instructor: Person, student: Person, title: str = "A course") -> dict[str, Any]:
    """The student's certificate of a completed course."""
    answer = await ask(student, await completed(instructor, student, title))
    assert answer.status_code == 201, answer.text
    certificate: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/api/certificates/{certificate['id']}"
    return certificate


async def pdf_of(person: Person, certificate: dict[str, Any], *, timeout_seconds: float = 60) -> httpx.Response:
    """The certificate's file, as soon as it is made."""
    async with asyncio.timeout(timeout_seconds):
        while (answer := await person.get(f"/api/certificates/{certificate['id']}/pdf")).status_code == 202:
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.json()["id"] == certificate["id"]
            await asyncio.sleep(0.1)
    return answer
