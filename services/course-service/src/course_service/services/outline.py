"""From rows to the JSON that shows them: as much as a person sees, never a lesson's body."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core.visibility import Sight
from course_service.models import Course, Lesson, Module
from course_service.repositories.course import CourseCard
from course_service.repositories.lesson import LessonRepository
from course_service.repositories.module import ModuleRepository
from course_service.schemas.course import CourseDetail, CourseSummary, Instructor
from course_service.schemas.lesson import LessonSummary
from course_service.schemas.module import ModuleOutline

COURSE_FIELDS = CourseSummary.model_fields.keys() & Course.__table__.columns.keys()
MODULE_FIELDS = ModuleOutline.model_fields.keys() & Module.__table__.columns.keys()


async def outline_of(session: AsyncSession, course_id: int, seen: Sight) -> list[ModuleOutline]:
    """Return a course's modules with their lessons; who sees only what is published sees no module without any."""
    everything = seen is Sight.EVERYTHING
    lessons: dict[int, list[Lesson]] = defaultdict(list)
    for lesson in await LessonRepository(session).of_course(course_id, published_only=not everything):
        lessons[lesson.module_id].append(lesson)
    modules = await ModuleRepository(session).of_course(course_id)
    return [module_outline(module, lessons[module.id]) for module in modules if everything or lessons[module.id]]


def module_outline(module: Module, lessons: Iterable[Lesson]) -> ModuleOutline:
    """Return a module and these lessons of it."""
    fields = {name: getattr(module, name) for name in MODULE_FIELDS}
    return ModuleOutline(**fields, lessons=[LessonSummary.model_validate(lesson) for lesson in lessons])


def course_summary(card: CourseCard) -> CourseSummary:
    """Return a course as a list shows it."""
    fields = {name: getattr(card.course, name) for name in COURSE_FIELDS}
    return CourseSummary(
        **fields,
        instructor=Instructor(id=card.course.instructor_id, full_name=card.instructor_name),
        module_count=card.module_count,
        lesson_count=card.lesson_count,
    )


def course_detail(card: CourseCard, modules: list[ModuleOutline]) -> CourseDetail:
    """Return a course with its outline."""
    return CourseDetail(**dict(course_summary(card)), modules=modules)
