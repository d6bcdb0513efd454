"""Who sees how much of a course."""

from __future__ import annotations

import pytest

from course_service.core.visibility import Sight, grants_access, may_read_body, may_see_enrollment, sight
from course_service.schemas.course import CourseStatus
from course_service.schemas.enrollment import EnrollmentStatus, PaymentStatus
from shared.identity import Identity, Role

NOBODY = Identity(user_id=None, role=Role.ANONYMOUS, session_id=None)
MINE, ANOTHERS = 7, 8


def person(role: Role) -> Identity:
    return NOBODY if role is Role.ANONYMOUS else Identity(user_id=MINE, role=role, session_id=None)


@pytest.mark.parametrize("status", CourseStatus)
@pytest.mark.parametrize("is_owner", [True, False])
def test_an_admin_sees_everything(status: CourseStatus, is_owner: bool) -> None:
    assert sight(person(Role.ADMIN), status, instructor_id=MINE if is_owner else ANOTHERS) is Sight.EVERYTHING


@pytest.mark.parametrize("status", CourseStatus)
def test_an_instructor_sees_everything_of_their_own(status: CourseStatus) -> None:
    assert sight(person(Role.INSTRUCTOR), status, instructor_id=MINE) is Sight.EVERYTHING


@pytest.mark.parametrize("role", [Role.ANONYMOUS, Role.STUDENT, Role.INSTRUCTOR])
def test_everybody_sees_only_published_courses_of_others(role: Role) -> None:
    seen = {
        status for status in CourseStatus if sight(person(role), status, instructor_id=ANOTHERS) is not Sight.NOTHING
    }
    assert seen == {CourseStatus.PUBLISHED}
    assert sight(person(role), CourseStatus.PUBLISHED, instructor_id=ANOTHERS) is Sight.PUBLISHED


def test_an_owner_who_became_a_student_has_no_privilege() -> None:
    assert sight(person(Role.STUDENT), CourseStatus.DRAFT, instructor_id=MINE) is Sight.NOTHING
    assert sight(person(Role.STUDENT), CourseStatus.PUBLISHED, instructor_id=MINE) is Sight.PUBLISHED


def test_the_enrolled_keep_an_archived_course_but_see_no_draft() -> None:
    student = person(Role.STUDENT)
    assert sight(student, CourseStatus.ARCHIVED, instructor_id=ANOTHERS, is_enrolled=True) is Sight.PUBLISHED
    assert sight(student, CourseStatus.DRAFT, instructor_id=ANOTHERS, is_enrolled=True) is Sight.NOTHING


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


def test_only_a_running_enrollment_that_is_paid_for_grants_access() -> None:
    running = {status for status in EnrollmentStatus if grants_access(status, None)}
    assert running == {EnrollmentStatus.ACTIVE, EnrollmentStatus.COMPLETED}
    paid = {payment for payment in PaymentStatus if grants_access(EnrollmentStatus.ACTIVE, payment)}
    assert paid == {PaymentStatus.COMPLETED}


@pytest.mark.parametrize(
    ("role", "student_id", "instructor_id", "expected"),
    [
        (Role.ANONYMOUS, MINE, ANOTHERS, False),
        (Role.STUDENT, MINE, ANOTHERS, True),
        (Role.STUDENT, ANOTHERS, ANOTHERS, False),
        (Role.STUDENT, ANOTHERS, MINE, False),
        (Role.INSTRUCTOR, ANOTHERS, MINE, True),
        (Role.INSTRUCTOR, ANOTHERS, ANOTHERS, False),
        (Role.INSTRUCTOR, MINE, ANOTHERS, True),
        (Role.ADMIN, ANOTHERS, ANOTHERS, True),
    ],
)
def test_an_enrollment_is_for_its_student_and_who_answers_for_the_course(
    role: Role, student_id: int, instructor_id: int, expected: bool
) -> None:
    assert may_see_enrollment(person(role), student_id=student_id, instructor_id=instructor_id) is expected
