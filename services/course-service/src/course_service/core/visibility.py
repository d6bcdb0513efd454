"""Who sees what: the one rule that every route, list and count follows."""

from __future__ import annotations

from enum import IntEnum

from course_service.schemas.course import CourseStatus
from shared.identity import Identity, Role


class Sight(IntEnum):
    """How much of a course a person sees."""

    NOTHING = 0
    """As if it did not exist (404)."""
    PUBLISHED = 1
    """The course, and the lessons of it that are published."""
    EVERYTHING = 2
    """Drafts too, and may change them."""


def sight(viewer: Identity, status: str, *, is_owner: bool, is_enrolled: bool = False) -> Sight:
    """Return how much `viewer` sees of a course.

    An owner who is no longer an instructor sees what everybody sees. Whoever is enrolled keeps an archived course.
    """
    if viewer.role is Role.ADMIN or (is_owner and viewer.role is Role.INSTRUCTOR):
        return Sight.EVERYTHING
    if status == CourseStatus.PUBLISHED or (status == CourseStatus.ARCHIVED and is_enrolled):
        return Sight.PUBLISHED
    return Sight.NOTHING


def may_read_body(seen: Sight, *, is_published: bool, is_preview: bool, is_enrolled: bool) -> bool:
    """Return whether a lesson's body may be read by someone with that sight of its course."""
    if seen is Sight.EVERYTHING:
        return True
    return seen is Sight.PUBLISHED and is_published and (is_preview or is_enrolled)
