"""The learners of the demo courses, one in every state that an enrollment can be in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select

from course_service.models import Enrollment, EnrollmentStatus, users
from course_service.repositories.course import CourseRepository
from course_service.repositories.enrollment import EnrollmentRepository
from course_service.schemas.enrollment import LessonCompletion
from course_service.schemas.lesson import LessonKind
from course_service.schemas.quiz import QuizSubmission
from course_service.seed.content import DEMO_COURSES, DemoCourse
from course_service.services.certificate import CertificateService
from course_service.services.enrollment import EnrollmentService
from course_service.services.progress import ProgressService
from course_service.services.quiz import QuizService
from shared.database import Database
from shared.exceptions.base import ConflictError, ForbiddenError, NotFoundError, UnprocessableError
from shared.identity import Role, UserIdentity

Tell = Callable[[str], None]

DOMAIN = "demo.smartcourse.example"


class Journey(StrEnum):
    """How far a demo learner has come."""

    ENROLLED = "enrolled"
    READING = "reading"
    FAILED = "failed"
    DROPPED = "dropped"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    CERTIFIED = "certified"


@dataclass(frozen=True, slots=True)
class DemoLearner:
    """One of user-service's demo students, on the way through one course."""

    name: str
    course: DemoCourse
    journey: Journey

    @property
    def email(self) -> str:
        return f"{self.name}@{DOMAIN}"


AT_THE_BEGINNING = (Journey.READING, Journey.DROPPED, Journey.SUSPENDED)
ENDED = (EnrollmentStatus.DROPPED, EnrollmentStatus.SUSPENDED)
ARRIVED = "demo"
"""The `enrollment_source` of an enrollment whose journey is made."""

REFUSALS = (ConflictError, ForbiddenError, NotFoundError, UnprocessableError)
"""What a course that people have changed may answer; a datastore that is away is none of these."""

PYTHON, DATABASES, WRITING = DEMO_COURSES
DEMO_LEARNERS = (
    DemoLearner("student1", PYTHON, Journey.CERTIFIED),
    DemoLearner("student1", DATABASES, Journey.READING),
    DemoLearner("student2", PYTHON, Journey.FAILED),
    DemoLearner("student3", DATABASES, Journey.ENROLLED),
    DemoLearner("student4", WRITING, Journey.DROPPED),
    DemoLearner("student5", WRITING, Journey.SUSPENDED),
    DemoLearner("student6", WRITING, Journey.COMPLETED),
)


@dataclass(frozen=True, slots=True)
class DemoLearning:
    """Sends the demo learners on their way, through the use cases that people use.

    An enrollment whose journey is made says so (`enrollment_source`) and is never touched again: whoever reinstated,
    re-enrolled or examined its learner since meant it. Until then each step looks for what it would do, so an
    interrupted run is continued by the next. A learner whom user-service has not made is passed over, and so is one
    whose course is no longer the demo instructor's.
    """

    database: Database
    enrollments: EnrollmentService
    progress: ProgressService
    quizzes: QuizService
    certificates: CertificateService
    tell: Tell

    async def run(self) -> int:
        """Return how many learners set out."""
        return sum([await self._send(learner) for learner in DEMO_LEARNERS])

    async def _send(self, learner: DemoLearner) -> bool:
        found = await self._find(learner)
        if found is None:
            return False
        student, course_id, enrollment = found
        if enrollment is not None and enrollment.enrollment_source == ARRIVED:
            return False
        try:
            enrollment_id = enrollment.id if enrollment else (await self.enrollments.enroll(student, course_id)).id
        except REFUSALS as error:
            self.tell(f"{learner.name} stays at home: {error.detail}")
            return False
        if enrollment is None or enrollment.status not in ENDED:
            await self._travel(student, enrollment_id, learner)
        async with self.database.begin() as session:
            await EnrollmentRepository(session).set_source(enrollment_id, ARRIVED)
        return enrollment is None

    async def _travel(self, student: UserIdentity, enrollment_id: int, learner: DemoLearner) -> None:
        """Take the journey's steps, as far as the course, which people may have changed, lets the learner come."""
        try:
            if learner.journey is not Journey.ENROLLED:
                await self._learn(student, enrollment_id, learner)
            if learner.journey is Journey.DROPPED:
                await self.enrollments.drop(student, enrollment_id)
            elif learner.journey is Journey.SUSPENDED:
                admin = UserIdentity(user_id=student.user_id, role=Role.ADMIN, session_id=None)
                await self.enrollments.suspend(admin, enrollment_id, "To show what a suspension looks like.")
            elif learner.journey is Journey.CERTIFIED:
                await self.certificates.issue(student, enrollment_id)
        except REFUSALS as error:
            self.tell(f"{learner.name} comes no further: {error.detail}")

    async def _learn(self, student: UserIdentity, enrollment_id: int, learner: DemoLearner) -> None:
        """Go as far as the journey says: everything, up to a first quiz that is failed, or the first lesson.

        Lessons that the demo did not write are left to people.
        """
        right = {module.quiz.title: module.quiz.right for module in learner.course.modules}
        texts = {lesson.title for module in learner.course.modules for lesson in module.lessons}
        modules = (await self.progress.get(student, enrollment_id)).modules
        for lesson in [lesson for module in modules for lesson in module.lessons]:
            if lesson.title not in (right if lesson.kind is LessonKind.QUIZ else texts):
                continue
            if lesson.kind is not LessonKind.QUIZ:
                if lesson.completed_at is None:
                    await self.progress.complete(student, lesson.id, LessonCompletion(time_spent_minutes=10))
            elif learner.journey is Journey.FAILED:
                if lesson.best_score is None:
                    await self.quizzes.submit(student, lesson.id, QuizSubmission(answers={}))
                return
            elif lesson.completed_at is None:
                await self.quizzes.submit(student, lesson.id, QuizSubmission(answers=right[lesson.title]))
            if learner.journey in AT_THE_BEGINNING:
                return

    async def _find(self, learner: DemoLearner) -> tuple[UserIdentity, int, Enrollment | None] | None:
        """Return the learner, the course's id and the enrollment; None without the first two."""
        author = learner.course.instructor_email
        async with self.database.read() as session:
            people = select(users.c.email, users.c.id).where(users.c.email.in_([learner.email, author]))
            ids: dict[str, int] = dict((await session.execute(people)).tuples().all())
            course = await CourseRepository(session).find_by_slug(learner.course.slug)
            if learner.email not in ids or course is None or course.instructor_id != ids.get(author):
                return None
            student = UserIdentity(user_id=ids[learner.email], role=Role.STUDENT, session_id=None)
            enrollments = EnrollmentRepository(session)
            return student, course.id, await enrollments.find_of(student_id=student.user_id, course_id=course.id)
