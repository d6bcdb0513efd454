"""Enrollments and progress as JSON."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from course_service.schemas.course import CourseStatus
from course_service.schemas.lesson import LessonKind
from course_service.schemas.text import Id, NoNul, Percentage
from shared.schemas.base import Schema

MAX_MINUTES = 24 * 60


class EnrollmentStatus(StrEnum):
    """Where a student stands in a course."""

    ACTIVE = "active"
    COMPLETED = "completed"
    DROPPED = "dropped"
    SUSPENDED = "suspended"


class PaymentStatus(StrEnum):
    """The state of an enrollment's payment; NULL means that nothing is to be paid."""

    PENDING = "pending"
    COMPLETED = "completed"
    REFUNDED = "refunded"


Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), NoNul]


class EnrollmentCreate(Schema):
    """The wish to take a course."""

    course_id: Annotated[Id, Field(strict=True)]


class Suspension(Schema):
    """Why an enrollment is suspended; its student reads it."""

    reason: Reason


class LessonCompletion(Schema):
    """What a student says when completing a lesson."""

    time_spent_minutes: Annotated[
        int, Field(strict=True, ge=0, le=MAX_MINUTES, description="Added to the enrollment's time")
    ] = 0


class EnrolledCourse(Schema):
    """The course of an enrollment."""

    id: int
    title: str
    slug: str
    status: CourseStatus


class ProgressFigures(Schema):
    """A student's progress in figures, measured against the lessons that are required and published now."""

    completion_percentage: Percentage
    completed_count: int = Field(description="How many of `total_lessons` are completed")
    total_lessons: int
    total_modules: int = Field(description="Modules with at least one of `total_lessons`")


class EnrollmentFacts(ProgressFigures):
    """What everybody who sees an enrollment sees of it."""

    id: int
    student_id: int
    status: EnrollmentStatus
    enrolled_at: datetime
    started_at: datetime | None
    completed_at: datetime | None = Field(description="When all that was required then was completed; it stays")
    dropped_at: datetime | None
    suspended_at: datetime | None
    suspended_reason: str | None
    last_accessed_at: datetime | None
    time_spent_minutes: int
    current_module_id: int | None
    current_lesson_id: int | None


class EnrollmentDetail(EnrollmentFacts):
    """An enrollment with its course and all that was ever completed, published now or not."""

    course: EnrolledCourse
    completed_modules: list[int]
    completed_lessons: list[int]
    completed_quizzes: list[int]
    quiz_scores: dict[str, float] = Field(description="Best score in percent by the quiz's id")


class Student(Schema):
    """Whose enrollment it is."""

    id: int
    full_name: str


class RosterEntry(EnrollmentFacts):
    """An enrollment as the course's instructor sees it."""

    student: Student


class LessonProgress(Schema):
    """A published lesson and what the student has done with it; scores are percentages of quizzes."""

    id: int
    title: str
    kind: LessonKind
    is_required: bool
    completed_at: datetime | None
    best_score: float | None


class ModuleProgress(Schema):
    """A module and what the student has done in it."""

    id: int
    title: str
    completed_at: datetime | None = Field(description="When all that it required then was completed")
    lessons: list[LessonProgress]


class NextLesson(Schema):
    """Where to go on."""

    id: int
    module_id: int
    title: str


class Progress(ProgressFigures):
    """A student's way through a course, as it is published now."""

    enrollment_id: int
    course_id: int
    status: EnrollmentStatus
    completed_at: datetime | None
    modules: list[ModuleProgress]
    next_lesson: NextLesson | None = Field(description="The first published lesson that is not completed")
