"""From an enrollment to the JSON that shows it: always measured against what is published now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core.progress import Required, measure
from course_service.models import Course, Enrollment, Lesson
from course_service.repositories.course import CourseRepository
from course_service.repositories.lesson import LessonRepository
from course_service.repositories.module import ModuleRepository
from course_service.schemas.enrollment import (
    EnrolledCourse,
    EnrollmentDetail,
    EnrollmentFacts,
    LessonProgress,
    ModuleProgress,
    NextLesson,
    Progress,
    ProgressFigures,
    RosterEntry,
    Student,
)

COLUMNS = EnrollmentFacts.model_fields.keys() & Enrollment.__table__.columns.keys()


async def detail_of(session: AsyncSession, enrollment: Enrollment) -> EnrollmentDetail:
    """Return an enrollment with its course."""
    course = await CourseRepository(session).get(enrollment.course_id)
    return enrollment_detail(enrollment, course, await LessonRepository(session).required_of(course.id))


def enrollment_detail(enrollment: Enrollment, course: Course, required: Required) -> EnrollmentDetail:
    """Return an enrollment with its course."""
    return EnrollmentDetail(
        **_facts(enrollment, required),
        course=EnrolledCourse.model_validate({name: getattr(course, name) for name in EnrolledCourse.model_fields}),
        completed_modules=enrollment.completed_modules or [],
        completed_lessons=enrollment.completed_lessons or [],
        completed_quizzes=enrollment.completed_quizzes or [],
        quiz_scores=enrollment.quiz_scores or {},
    )


def roster_entry(enrollment: Enrollment, full_name: str, required: Required) -> RosterEntry:
    """Return an enrollment with its student."""
    student = Student(id=enrollment.student_id, full_name=full_name)
    return RosterEntry(**_facts(enrollment, required), student=student)


async def progress_of(session: AsyncSession, enrollment: Enrollment) -> Progress:
    """Return a student's way through the modules and lessons that are published now."""
    published = await LessonRepository(session).of_course(enrollment.course_id, published_only=True)
    lessons: dict[int, list[Lesson]] = defaultdict(list)
    for lesson in published:
        lessons[lesson.module_id].append(lesson)
    done = set(enrollment.completed_lessons or ())
    upcoming = next((lesson for lesson in published if lesson.id not in done), None)
    required = Required(
        {
            module_id: frozenset(wanted)
            for module_id, members in lessons.items()
            if (wanted := [lesson.id for lesson in members if lesson.is_required])
        }
    )
    return Progress(
        **_figures(enrollment, required),
        enrollment_id=enrollment.id,
        course_id=enrollment.course_id,
        status=enrollment.status,
        completed_at=enrollment.completed_at,
        modules=[
            ModuleProgress(
                id=module.id,
                title=module.title,
                completed_at=_date(enrollment.completion_dates, "module", module.id),
                lessons=[_lesson(lesson, enrollment) for lesson in lessons[module.id]],
            )
            for module in await ModuleRepository(session).of_course(enrollment.course_id)
            if lessons[module.id]
        ],
        next_lesson=upcoming and NextLesson(id=upcoming.id, module_id=upcoming.module_id, title=upcoming.title),
    )


def _facts(enrollment: Enrollment, required: Required) -> dict[str, Any]:
    return {name: getattr(enrollment, name) for name in COLUMNS} | _figures(enrollment, required)


def _figures(enrollment: Enrollment, required: Required) -> dict[str, Any]:
    standing = measure(required, enrollment.completed_lessons or ())
    figures = ProgressFigures(
        completion_percentage=standing.percentage,
        completed_count=len(standing.completed_lessons),
        total_lessons=standing.total_lessons,
        total_modules=standing.total_modules,
    )
    return dict(figures)


def _lesson(lesson: Lesson, enrollment: Enrollment) -> LessonProgress:
    return LessonProgress(
        id=lesson.id,
        title=lesson.title,
        kind=lesson.kind,
        is_required=lesson.is_required,
        completed_at=_date(enrollment.completion_dates, "lesson", lesson.id),
        best_score=(enrollment.quiz_scores or {}).get(str(lesson.id)),
    )


def _date(dates: Mapping[str, Any], kind: str, id_: int) -> datetime | None:
    date = dates.get(f"{kind}:{id_}")
    return None if date is None else datetime.fromisoformat(date)
