"""Lessons as JSON."""

from __future__ import annotations

import json
import math
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictBool, TypeAdapter, ValidationInfo, field_validator

from course_service.schemas.quiz import QuizDefinition
from course_service.schemas.text import MAX_ID, NotNull, Position, Title
from shared.schemas.base import Schema

MAX_BODY_BYTES = 256 * 1024
MAX_BODY_DEPTH = 20
MAX_INT64 = 2**63 - 1


class LessonKind(StrEnum):
    """What a lesson's body is."""

    TEXT = "text"
    VIDEO = "video"
    QUIZ = "quiz"
    FILE = "file"


def check_body(body: Any) -> Any:
    """Return `body` if MongoDB and JSON can both hold it.

    Raises:
        ValueError: it is empty, too large, too deep, or has a key, number or text that one of them can't hold.
    """
    if not body or (isinstance(body, str) and not body.strip()):
        raise ValueError("must not be empty")
    _check_value(body, depth=1)
    if len(json.dumps(body, ensure_ascii=False).encode()) > MAX_BODY_BYTES:
        raise ValueError(f"must be at most {MAX_BODY_BYTES // 1024} KiB as JSON")
    return body


def _check_value(value: Any, *, depth: int) -> None:
    if depth > MAX_BODY_DEPTH:
        raise ValueError(f"must not be nested deeper than {MAX_BODY_DEPTH} levels")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_key(key)
            _check_value(item, depth=depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_value(item, depth=depth + 1)
    elif isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int) and abs(value) > MAX_INT64:
        raise ValueError("must not have integers beyond 64 bits")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must not have numbers that are not finite")


def _check_key(key: str) -> None:
    if not key or key.startswith("$") or "." in key:
        raise ValueError(f"must not have the key {key!r}: keys are not empty, without dots, not after a $")
    _check_text(key)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("must not contain the character NUL")
    text.encode()  # a lone surrogate is a UnicodeError, which is a ValueError


Body = Annotated[
    str | dict[str, Any],
    AfterValidator(check_body),
    Field(
        description="Markdown for `text`, a `QuizDefinition` for `quiz`, text or an object for the other kinds."
        " At most 256 KiB as JSON."
    ),
]
DurationMinutes = Annotated[int, Field(strict=True, ge=0, le=MAX_ID)]


TEXT_BODY: TypeAdapter[str] = TypeAdapter(str)


def check_fits(kind: LessonKind, body: Any) -> None:
    """Raise pydantic's `ValidationError`, which says where, unless a lesson of that kind may have that body."""
    if kind is LessonKind.TEXT:
        TEXT_BODY.validate_python(body)
    elif kind is LessonKind.QUIZ:
        QuizDefinition.model_validate(body)


class LessonCreate(Schema):
    """A new lesson, put at the end of its module unless a position is named."""

    title: Title
    kind: LessonKind = LessonKind.TEXT
    body: Body
    is_published: StrictBool = False
    is_required: StrictBool = Field(default=True, description="Whether completing the course needs it")
    is_preview: StrictBool = Field(default=False, description="Whether anybody may read it once it is published")
    duration_minutes: DurationMinutes | None = None
    position: Position | None = None

    @field_validator("body")
    @classmethod
    def _body_fits_kind(cls, body: Any, info: ValidationInfo) -> Any:
        if "kind" in info.data:  # else it is not valid itself, and reported
            check_fits(info.data["kind"], body)
        return body


class LessonUpdate(Schema):
    """Changes to a lesson; a field left out keeps its value. Its kind stays; a body makes a new revision."""

    title: Annotated[Title | None, NotNull] = None
    body: Annotated[Body | None, NotNull] = None
    is_published: Annotated[StrictBool | None, NotNull] = None
    is_required: Annotated[StrictBool | None, NotNull] = None
    is_preview: Annotated[StrictBool | None, NotNull] = None
    duration_minutes: DurationMinutes | None = None
    position: Annotated[Position | None, NotNull] = None


class LessonSummary(Schema):
    """A lesson in an outline."""

    id: int
    module_id: int
    title: str
    kind: LessonKind
    position: int
    is_published: bool
    is_required: bool
    is_preview: bool
    duration_minutes: int | None
    version: int
    created_at: datetime
    updated_at: datetime


class LessonDetail(LessonSummary):
    """A lesson with its body; the revision is immutable, so it may be cached for ever."""

    revision_id: str
    body: str | dict[str, Any]
