"""Who sees how much of a course."""

from __future__ import annotations

import pytest

from course_service.core.visibility import Sight, may_read_body, sight
from course_service.schemas.course import CourseStatus
from shared.identity import Identity, Role

NOBODY = Identity(user_id=None, role=Role.ANONYMOUS, session_id=None)


def person(role: Role) -> Identity:
    return NOBODY if role is Role.ANONYMOUS else Identity(user_id=7, role=role, session_id=None)


@pytest.mark.parametrize("status", CourseStatus)
@pytest.mark.parametrize("is_owner", [True, False])
def test_an_admin_sees_everything(status: CourseStatus, is_owner: bool) -> None:
    assert sight(person(Role.ADMIN), status, is_owner=is_owner) is Sight.EVERYTHING


@pytest.mark.parametrize("status", CourseStatus)
def test_an_instructor_sees_everything_of_their_own(status: CourseStatus) -> None:
    assert sight(person(Role.INSTRUCTOR), status, is_owner=True) is Sight.EVERYTHING


@pytest.mark.parametrize("role", [Role.ANONYMOUS, Role.STUDENT, Role.INSTRUCTOR])
def test_everybody_sees_only_published_courses_of_others(role: Role) -> None:
    seen = {status for status in CourseStatus if sight(person(role), status, is_owner=False) is not Sight.NOTHING}
    assert seen == {CourseStatus.PUBLISHED}
    assert sight(person(role), CourseStatus.PUBLISHED, is_owner=False) is Sight.PUBLISHED


def test_an_owner_who_became_a_student_has_no_privilege() -> None:
    assert sight(person(Role.STUDENT), CourseStatus.DRAFT, is_owner=True) is Sight.NOTHING
    assert sight(person(Role.STUDENT), CourseStatus.PUBLISHED, is_owner=True) is Sight.PUBLISHED


def test_the_enrolled_keep_an_archived_course_but_see_no_draft() -> None:
    student = person(Role.STUDENT)
    assert sight(student, CourseStatus.ARCHIVED, is_owner=False, is_enrolled=True) is Sight.PUBLISHED
    assert sight(student, CourseStatus.DRAFT, is_owner=False, is_enrolled=True) is Sight.NOTHING


@pytest.mark.parametrize(
    ("seen", "is_published", "is_preview", "is_enrolled", "expected"),
    [
        (Sight.EVERYTHING, False, False, False, True),
        (Sight.PUBLISHED, True, False, False, False),
        (Sight.PUBLISHED, True, True, False, True),
        (Sight.PUBLISHED, True, False, True, True),
        (Sight.PUBLISHED, False, True, True, False),
        (Sight.NOTHING, True, True, True, False),
    ],
)
def test_bodies_are_for_authors_students_and_previews(
    seen: Sight, is_published: bool, is_preview: bool, is_enrolled: bool, expected: bool
) -> None:
    assert may_read_body(seen, is_published=is_published, is_preview=is_preview, is_enrolled=is_enrolled) is expected
