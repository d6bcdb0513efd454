"""Who sees what: the rules that every route, list and count follows."""

from __future__ import annotations

from enum import IntEnum

from course_service.schemas.course import CourseStatus
from course_service.schemas.enrollment import EnrollmentStatus, PaymentStatus
from shared.identity import Identity, Role


class Sight(IntEnum):
    """How much of a course a person sees."""

    NOTHING = 0
    """As if it did not exist (404)."""
    PUBLISHED = 1
    """The course, and the lessons of it that are published."""
    EVERYTHING = 2
    """Drafts too, and may change them."""


def is_author(viewer: Identity, *, instructor_id: int) -> bool:
    """Return whether `viewer` answers for the course: its instructor, while they are one, and every admin."""
    return viewer.role is Role.ADMIN or (viewer.role is Role.INSTRUCTOR and viewer.user_id == instructor_id)


def sight(viewer: Identity, status: str, *, instructor_id: int, is_enrolled: bool = False) -> Sight:
    """Return how much `viewer` sees of a course.

    An owner who is no longer an instructor sees what everybody sees. Whoever is enrolled keeps an archived course.
    """
    if is_author(viewer, instructor_id=instructor_id):
        return Sight.EVERYTHING
    if status == CourseStatus.PUBLISHED or (status == CourseStatus.ARCHIVED and is_enrolled):
        return Sight.PUBLISHED
    return Sight.NOTHING


def grants_access(status: str, payment_status: str | None) -> bool:
    """Return whether an enrollment lets its student read: neither ended, nor suspended, nor waiting for a payment."""
    is_running = status in (EnrollmentStatus.ACTIVE, EnrollmentStatus.COMPLETED)
    return is_running and payment_status in (None, PaymentStatus.COMPLETED)


def may_read_body(seen: Sight, *, is_published: bool, is_preview: bool, is_enrolled: bool) -> bool:
    """Return whether a lesson's body may be read by someone with that sight of its course."""
    if seen is Sight.EVERYTHING:
        return True
    return seen is Sight.PUBLISHED and is_published and (is_preview or is_enrolled)


def may_see_enrollment(viewer: Identity, *, student_id: int, instructor_id: int) -> bool:
    """Return whether `viewer` sees an enrollment: its student, and who answers for its course."""
    return viewer.user_id == student_id or is_author(viewer, instructor_id=instructor_id)
