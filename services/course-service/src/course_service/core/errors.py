"""What course-service refuses, and why."""

from __future__ import annotations

from shared.exceptions.base import ConflictError, ForbiddenError, NotFoundError, SmartCourseError, UnprocessableError


class NoSuchCourseError(NotFoundError):
    """There is no such course, or none that this person may know of."""

    def __init__(self, course_id: int) -> None:
        super().__init__(f"There is no course {course_id}.")


class NoSuchModuleError(NotFoundError):
    """The course has no such module, or none that this person may know of."""

    def __init__(self, module_id: int, *, course_id: int) -> None:
        super().__init__(f"Course {course_id} has no module {module_id}.")


class NoSuchLessonError(NotFoundError):
    """The module has no such lesson, or none that this person may know of."""

    def __init__(self, lesson_id: int, *, module_id: int) -> None:
        super().__init__(f"Module {module_id} has no lesson {lesson_id}.")


class NotTheInstructorError(ForbiddenError):
    """The course is public, but not this person's to change."""

    slug = "not-the-instructor"
    title = "Not your course"

    def __init__(self, course_id: int) -> None:
        super().__init__(f"Course {course_id} belongs to another instructor.")


class EnrollmentRequiredError(ForbiddenError):
    """A lesson's body is for the course's students."""

    slug = "enrollment-required"
    title = "Enrollment required"

    def __init__(self, lesson_id: int, *, course_id: int) -> None:
        super().__init__(f"Lesson {lesson_id} is for students of course {course_id}: enroll to read it.")


class StaleVersionError(SmartCourseError):
    """`If-Match` named another version than the current one: someone changed it in between."""

    status = 412
    slug = "stale-version"
    title = "Changed in the meantime"

    def __init__(self, kind: str, id_: int, *, current_version: int) -> None:
        super().__init__(f"{kind.capitalize()} {id_} is at version {current_version}: read it again, then repeat.")


class CourseNotPublishableError(ConflictError):
    """A published course must have something to learn; `missing` says what this one lacks."""

    slug = "course-not-publishable"
    title = "The course is not ready for publication"

    def __init__(self, course_id: int, *, missing: str) -> None:
        super().__init__(f"Course {course_id} can't be public: it has no {missing}.")


class CourseArchivedError(ConflictError):
    """An archived course is kept as it is."""

    slug = "course-archived"
    title = "The course is archived"

    def __init__(self, course_id: int) -> None:
        super().__init__(f"Course {course_id} is archived and can't be changed.")


class BodyDoesNotFitError(UnprocessableError):
    """A lesson's kind is settled when it is made; a body of another shape is refused."""

    slug = "body-does-not-fit"
    title = "The body does not fit the lesson's kind"

    def __init__(self, lesson_id: int, kind: str) -> None:
        errors = [{"loc": "body.body", "message": f"a lesson of kind {kind} has Markdown text as its body"}]
        super().__init__(f"Lesson {lesson_id} is of kind {kind}: its body is text.", extra={"errors": errors})
