"""Courses as JSON."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from course_service.schemas.module import ModuleOutline
from course_service.schemas.text import MAX_ID, Description, Language, NotNull, Title
from shared.schemas.base import Schema


class CourseStatus(StrEnum):
    """A course is written as a draft, published once, and archived instead of deleted."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


class CourseLevel(StrEnum):
    """For whom a course is written."""

    BEGINNER = "beginner"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"


Capacity = Annotated[
    int, Field(strict=True, gt=0, le=MAX_ID, description="Most students enrolled at a time; null is no limit")
]


class CourseCreate(Schema):
    """A new draft. Owner, slug and status are not the client's to set."""

    title: Title
    description: Description
    capacity: Capacity | None = None
    language: Language | None = Field(default=None, description="BCP 47 tag, such as `en` or `pt-BR`")
    level: CourseLevel | None = None


class CourseUpdate(Schema):
    """Changes to a course; a field left out keeps its value."""

    title: Annotated[Title | None, NotNull] = None
    description: Annotated[Description | None, NotNull] = None
    capacity: Capacity | None = None
    language: Language | None = None
    level: CourseLevel | None = None


class Instructor(Schema):
    """Who owns a course."""

    id: int
    full_name: str


class CourseSummary(Schema):
    """A course in a list. The counts are of what is published."""

    id: int
    title: str
    slug: str
    description: str
    instructor: Instructor
    status: CourseStatus
    capacity: int | None
    language: str | None
    level: CourseLevel | None
    module_count: int
    lesson_count: int
    version: int
    published_at: datetime | None
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime


class CourseDetail(CourseSummary):
    """A course with its outline: as much of it as the reader may see, without lesson bodies."""

    modules: list[ModuleOutline]
