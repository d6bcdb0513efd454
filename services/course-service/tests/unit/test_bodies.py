"""Bodies that both MongoDB and JSON can hold."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from course_service.schemas.lesson import MAX_BODY_BYTES, MAX_BODY_DEPTH, LessonCreate, LessonKind, check_fits


def nested(depth: int) -> dict[str, Any]:
    body: dict[str, Any] = {"leaf": 1}
    for _ in range(depth - 2):
        body = {"n": body}
    return body


@pytest.mark.parametrize(
    "body",
    ["# Hello", {"url": "https://example.org"}, {"n": [1, 2.5, None, True, -(2**63) + 1]}, nested(MAX_BODY_DEPTH)],
)
def test_bodies_that_can_be_stored_pass_unchanged(body: object) -> None:
    assert LessonCreate(title="A", kind=LessonKind.FILE, body=body).body == body


@pytest.mark.parametrize(
    "body",
    [
        "",
        " \n",
        {},
        [],
        None,
        {"$set": 1},
        {"a.b": 1},
        {"": 1},
        {"deep": {"$set": 1}},
        {"n": 2**63},
        {"n": float("nan")},
        {"t": "\ud800"},
        {"nul\0": 1},
        ["x"],
        nested(MAX_BODY_DEPTH + 1),
        "x" * (MAX_BODY_BYTES - 1),
    ],
)
def test_other_bodies_are_refused(body: object) -> None:
    with pytest.raises(ValidationError):
        LessonCreate(title="A", kind=LessonKind.FILE, body=body)


def test_a_text_lesson_has_text() -> None:
    check_fits(LessonKind.TEXT, "text")
    check_fits(LessonKind.VIDEO, {"a": 1})
    with pytest.raises(ValidationError):
        check_fits(LessonKind.TEXT, {"a": 1})
