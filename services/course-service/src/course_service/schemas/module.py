"""Modules as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from course_service.schemas.lesson import LessonSummary
from course_service.schemas.text import NotNull, Position, Title
from shared.schemas.base import Schema


class ModuleCreate(Schema):
    """A new module, put at the end unless a position is named."""

    title: Title
    position: Position | None = None


class ModuleUpdate(Schema):
    """Changes to a module; a field left out keeps its value, another position moves it."""

    title: Annotated[Title | None, NotNull] = None
    position: Annotated[Position | None, NotNull] = None


class ModuleOutline(Schema):
    """A module with those of its lessons that the reader may see."""

    id: int
    course_id: int
    title: str
    position: int
    version: int
    created_at: datetime
    updated_at: datetime
    lessons: list[LessonSummary]
