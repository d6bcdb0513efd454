"""What course-service refuses, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.exceptions.base import (
    BadRequestError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PayloadTooLargeError,
    SmartCourseError,
    UnprocessableError,
)


class NoSuchCourseError(NotFoundError):
    """There is no such course, or none that this person may know of."""

    def __init__(self, course_id: int) -> None:
        super().__init__(f"There is no course {course_id}.")


class NoSuchModuleError(NotFoundError):
    """The course has no such module, or none that this person may know of."""

    def __init__(self, module_id: int, *, course_id: int) -> None:
        super().__init__(f"Course {course_id} has no module {module_id}.")


class NoSuchLessonError(NotFoundError):
    """There is no such lesson (in that module, if one is named), or none that this person may know of."""

    def __init__(self, lesson_id: int, *, module_id: int | None = None) -> None:
        where = "There is" if module_id is None else f"Module {module_id} has"
        super().__init__(f"{where} no lesson {lesson_id}.")


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
    """A published course must have something to learn; `reasons` maps the code of each lack to a sentence."""

    slug = "course-not-publishable"
    title = "The course is not ready for publication"

    def __init__(self, course_id: int, reasons: Mapping[str, str]) -> None:
        listed = [{"code": code, "message": message} for code, message in reasons.items()]
        super().__init__(f"Course {course_id} can't be public: {' '.join(reasons.values())}", extra={"reasons": listed})


class CourseArchivedError(ConflictError):
    """An archived course is kept as it is."""

    slug = "course-archived"
    title = "The course is archived"

    def __init__(self, course_id: int) -> None:
        super().__init__(f"Course {course_id} is archived and can't be changed.")


class BodyDoesNotFitError(UnprocessableError):
    """A lesson's kind is settled when it is made; a body of another shape is refused, `errors` say why."""

    slug = "body-does-not-fit"
    title = "The body does not fit the lesson's kind"

    def __init__(self, lesson_id: int, kind: str, errors: Sequence[Mapping[str, str]]) -> None:
        super().__init__(
            f"Lesson {lesson_id} is of kind {kind}, and its body must be one; see errors.", extra={"errors": errors}
        )


class NoSuchEnrollmentError(NotFoundError):
    """There is no such enrollment, or it is not this person's to see."""

    def __init__(self, enrollment_id: int) -> None:
        super().__init__(f"There is no enrollment {enrollment_id}.")


class NotTheStudentError(ForbiddenError):
    """The enrollment is somebody else's to end."""

    slug = "not-the-student"
    title = "Not your enrollment"

    def __init__(self, enrollment_id: int) -> None:
        super().__init__(f"Enrollment {enrollment_id} belongs to another person.")


class OwnCourseError(ForbiddenError):
    """Who teaches a course is not its student."""

    slug = "own-course"
    title = "Your own course"

    def __init__(self, course_id: int) -> None:
        super().__init__(f"Course {course_id} is your own: its instructor can't enroll in it.")


class CourseNotPublishedError(ConflictError):
    """Only a published course takes students."""

    slug = "course-not-published"
    title = "The course is not open for enrollment"

    def __init__(self, course_id: int, status: str) -> None:
        super().__init__(f"Course {course_id} is {status}: only a published course takes students.")


class CourseFullError(ConflictError):
    """All places are taken."""

    slug = "course-full"
    title = "The course is full"

    def __init__(self, course_id: int, *, capacity: int) -> None:
        super().__init__(
            f"All {capacity} places of course {course_id} are taken.",
            extra={"course_id": course_id, "capacity": capacity},
        )


class AlreadyEnrolledError(ConflictError):
    """A person has one enrollment in a course."""

    slug = "already-enrolled"
    title = "Already enrolled"

    def __init__(self, enrollment_id: int, *, course_id: int) -> None:
        super().__init__(
            f"You are enrolled in course {course_id} already.",
            extra={"enrollment_id": enrollment_id, "course_id": course_id},
        )


class EnrollmentSuspendedError(ForbiddenError):
    """A suspended student keeps the progress but reads and completes nothing."""

    slug = "enrollment-suspended"
    title = "The enrollment is suspended"

    def __init__(self, enrollment_id: int) -> None:
        super().__init__(f"Enrollment {enrollment_id} is suspended: an administrator can reinstate it.")


class SuspensionInForceError(ConflictError):
    """A suspension is not left by dropping the course or enrolling anew."""

    slug = "suspension-in-force"
    title = "A suspension is in force"

    def __init__(self, enrollment_id: int) -> None:
        super().__init__(f"Enrollment {enrollment_id} is suspended: only an administrator can end that.")


class EnrollmentDroppedError(ConflictError):
    """There is nothing to suspend or reinstate in a course that a student has left."""

    slug = "enrollment-dropped"
    title = "The enrollment was dropped"

    def __init__(self, enrollment_id: int) -> None:
        super().__init__(f"Enrollment {enrollment_id} was dropped: its student may enroll again.")


class NotAQuizError(NotFoundError):
    """The lesson exists, but is not a quiz."""

    slug = "not-a-quiz"
    title = "Not a quiz"

    def __init__(self, lesson_id: int) -> None:
        super().__init__(f"Lesson {lesson_id} is not a quiz.")


class QuizNotReadyError(ConflictError):
    """What the lesson holds was written before quizzes had a form, and can't be graded."""

    slug = "quiz-not-ready"
    title = "The quiz can't be taken yet"

    def __init__(self, lesson_id: int) -> None:
        super().__init__(f"Quiz {lesson_id} has no valid questions: its author must write them anew.")


class QuizNotPassedError(ConflictError):
    """A quiz is completed by passing it."""

    slug = "quiz-not-passed"
    title = "The quiz is not passed"

    def __init__(self, lesson_id: int) -> None:
        super().__init__(
            f"Lesson {lesson_id} is a quiz: pass it at /api/quizzes/{lesson_id}/submit to complete it.",
            extra={"quiz_id": lesson_id},
        )


class NoAttemptsLeftError(ConflictError):
    """Every attempt at the quiz is used up."""

    slug = "no-attempts-left"
    title = "No attempts left"

    def __init__(self, lesson_id: int, *, max_attempts: int) -> None:
        super().__init__(
            f"All {max_attempts} attempts at quiz {lesson_id} are used up.",
            extra={"quiz_id": lesson_id, "max_attempts": max_attempts},
        )


class InvalidAnswersError(UnprocessableError):
    """Answers to questions that the quiz has not, or of a shape that they do not take."""

    slug = "invalid-answers"
    title = "The answers do not fit the quiz"

    def __init__(self, problems: Mapping[str, str]) -> None:
        errors = [{"loc": f"body.answers.{question}", "message": problem} for question, problem in problems.items()]
        super().__init__(f"{len(errors)} answer(s) need attention, see errors.", extra={"errors": errors})


class OthersAttemptsError(ForbiddenError):
    """A student sees their own attempts."""

    slug = "others-attempts"
    title = "Another student's attempts"

    def __init__(self, lesson_id: int) -> None:
        super().__init__(f"Others' attempts at quiz {lesson_id} are for the course's instructor.")


class NoSuchCertificateError(NotFoundError):
    """There is no such certificate, or it is not this person's to see."""

    def __init__(self, certificate_id: int) -> None:
        super().__init__(f"There is no certificate {certificate_id}.")


class UnknownCodeError(NotFoundError):
    """No certificate has this verification code."""

    slug = "unknown-verification-code"
    title = "Not a certificate of ours"

    def __init__(self) -> None:
        super().__init__("No certificate has this verification code.")


class CourseNotCompletedError(ConflictError):
    """A certificate is for who has completed the course; `missing` maps the lessons still to do to their titles."""

    slug = "course-not-completed"
    title = "The course is not completed"

    def __init__(self, course_id: int, *, percentage: float, missing: Mapping[int, str]) -> None:
        lessons = [{"lesson_id": lesson_id, "title": title} for lesson_id, title in missing.items()]
        super().__init__(
            f"Course {course_id} is completed to {percentage:g} %: {len(lessons)} required lesson(s) are missing.",
            extra={"course_id": course_id, "completion_percentage": percentage, "missing": lessons},
        )


class EnrollmentNotOpenError(ConflictError):
    """All that the course requires is done, but the enrollment grants no access, so the course is not completed."""

    slug = "enrollment-not-open"
    title = "The enrollment does not count at the moment"

    def __init__(self, enrollment_id: int, *, course_id: int, remedy: str) -> None:
        super().__init__(
            f"Every required lesson of course {course_id} is completed, but enrollment {enrollment_id} {remedy}.",
            extra={"course_id": course_id, "enrollment_id": enrollment_id},
        )


class NoSuchAttachmentError(NotFoundError):
    """There is no such file, or none that this person may know of."""

    def __init__(self, attachment_id: int) -> None:
        super().__init__(f"There is no attachment {attachment_id}.")


class TooManyAttachmentsError(ConflictError):
    """A lesson has as many files as it may have."""

    slug = "too-many-attachments"
    title = "The lesson has too many files"

    def __init__(self, lesson_id: int, *, limit: int) -> None:
        super().__init__(f"Lesson {lesson_id} has {limit} files, which is the most.", extra={"limit": limit})


class MalformedUploadError(BadRequestError):
    """The body is not one file as `multipart/form-data`."""

    slug = "malformed-upload"
    title = "The upload could not be understood"


class AttachmentTooLargeError(PayloadTooLargeError):
    """The file is larger than files may be."""

    slug = "attachment-too-large"
    title = "The file is too large"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"A file may have {max_bytes} bytes.", extra={"max_bytes": max_bytes})


class FileTypeNotAllowedError(SmartCourseError):
    """The file is, by what is in it, of no type that lessons may have."""

    status = 415
    slug = "file-type-not-allowed"
    title = "Files of this type are not accepted"

    def __init__(self, content_type: str) -> None:
        super().__init__(
            f"The file is {content_type}. Accepted are PDF, text, images, audio, video, ZIP, and documents of Office "
            "(since 2007) and OpenDocument.",
            extra={"content_type": content_type},
        )


class EmptyFileError(UnprocessableError):
    """A file without a single byte."""

    slug = "empty-file"
    title = "The file is empty"


class UploadTooSlowError(SmartCourseError):
    """The file did not arrive in the time that uploads have."""

    status = 408
    slug = "upload-too-slow"
    title = "The upload took too long"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"The file was not there after {seconds} seconds.")


class RangeNotSatisfiableError(SmartCourseError):
    """The file has no such bytes."""

    status = 416
    slug = "range-not-satisfiable"
    title = "No such range"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"The file has {size_bytes} bytes.", headers={"Content-Range": f"bytes */{size_bytes}"})
