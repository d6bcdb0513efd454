"""Taking quizzes. What is right never leaves the server before the quiz says so."""

from __future__ import annotations

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core.errors import NoAttemptsLeftError, NotAQuizError, OthersAttemptsError, QuizNotReadyError
from course_service.core.grading import Grading, correct_answer, grade
from course_service.core.publisher import EventPublisher
from course_service.core.visibility import Sight
from course_service.models import Course, Enrollment, Lesson, QuizAttempt
from course_service.repositories.attempt import AttemptRepository, attempts_of
from course_service.repositories.enrollment import EnrollmentRepository
from course_service.repositories.revision import Body, RevisionRepository
from course_service.schemas.lesson import LessonKind
from course_service.schemas.quiz import (
    QuestionResult,
    QuizAttemptSummary,
    QuizDefinition,
    QuizDetail,
    QuizResult,
    QuizSubmission,
    QuizView,
    ShowAnswers,
)
from course_service.services.gate import SeenLesson, get_lesson_to_learn, get_readable_lesson, get_visible_lesson
from course_service.services.progress import complete_lesson, evaluate, visit
from shared.database import Database
from shared.events.envelope import Event
from shared.events.progress import QuizGraded
from shared.identity import UserIdentity
from shared.schemas.pagination import Page, PageQuery, paginate
from shared.utils.datetime import Clock


class QuizService:
    """The use cases of quizzes. All raise `NoSuchLessonError` and `NotAQuizError`."""

    def __init__(
        self, database: Database, revisions: RevisionRepository, publisher: EventPublisher, clock: Clock
    ) -> None:
        self._database = database
        self._revisions = revisions
        self._publisher = publisher
        self._clock = clock

    async def get(self, viewer: UserIdentity, lesson_id: int) -> QuizDetail:
        """Return the questions, and how the viewer stands with them.

        Raises:
            EnrollmentRequiredError, EnrollmentSuspendedError, QuizNotReadyError
        """
        async with self._database.read() as session:
            found = _quiz(await get_readable_lesson(session, viewer, lesson_id))
            enrollment = await EnrollmentRepository(session).find_of(
                student_id=viewer.user_id, course_id=found.course.id
            )
            used = 0
            if enrollment is not None:
                used = await AttemptRepository(session).count(enrollment_id=enrollment.id, lesson_id=lesson_id)
        quiz = await self._definition(found.lesson)
        return QuizDetail(
            id=lesson_id,
            course_id=found.course.id,
            module_id=found.lesson.module_id,
            title=found.lesson.title,
            revision_id=found.lesson.current_revision_id,
            quiz=QuizView.model_validate(quiz),
            attempts_used=used,
            attempts_left=_left(quiz, used),
            best_score=_best(enrollment, lesson_id),
            is_passed=enrollment is not None and lesson_id in (enrollment.completed_quizzes or []),
        )

    async def attempts(
        self, viewer: UserIdentity, lesson_id: int, student_id: int | None, params: PageQuery
    ) -> Page[QuizAttemptSummary]:
        """Return a page of a student's attempts, the viewer's own unless one is named, the last first.

        Raises:
            OthersAttemptsError: they are another's, and the viewer does not answer for the course.
        """
        async with self._database.read() as session:
            found = _quiz(await get_visible_lesson(session, viewer, lesson_id))
            wanted = viewer.user_id if student_id is None else student_id
            if wanted != viewer.user_id and found.seen is not Sight.EVERYTHING:
                raise OthersAttemptsError(lesson_id)
            page = await paginate(session, attempts_of(wanted, lesson_id), params)
            return page.map(QuizAttemptSummary.model_validate)

    async def submit(self, student: UserIdentity, lesson_id: int, submission: QuizSubmission) -> QuizResult:
        """Grade an attempt. The best score counts, and what is passed stays passed.

        The quiz is read from MongoDB before the transaction that counts and keeps the attempt. If its author has
        changed it in between, the answers are graded anew.

        Raises:
            EnrollmentRequiredError, EnrollmentSuspendedError, QuizNotReadyError
            InvalidAnswersError: answers to other questions, or of another shape.
            NoAttemptsLeftError
        """
        async with self._database.read() as session:
            found = _quiz(await get_readable_lesson(session, student, lesson_id))
        lesson = found.lesson
        while True:
            quiz = await self._definition(lesson)
            grading = grade(quiz, submission.answers)
            async with self._database.begin() as session:
                current, enrollment = await get_lesson_to_learn(session, student, lesson_id)
                if current.lesson.current_revision_id == lesson.current_revision_id:
                    await _check_attempts_left(session, enrollment, lesson_id, quiz)
                    attempt = await self._keep(session, enrollment, current, grading, submission)
                    return _result(enrollment, attempt, quiz, grading)
                lesson = current.lesson

    async def _keep(
        self,
        session: AsyncSession,
        enrollment: Enrollment,
        found: SeenLesson,
        grading: Grading,
        submission: QuizSubmission,
    ) -> QuizAttempt:
        """Write the attempt and what it changes in the enrollment, which is locked."""
        now, course, lesson = self._clock.now(), found.course, found.lesson
        attempts = AttemptRepository(session)
        attempt = QuizAttempt(
            enrollment_id=enrollment.id,
            lesson_id=lesson.id,
            number=await attempts.count(enrollment_id=enrollment.id, lesson_id=lesson.id) + 1,
            revision_id=lesson.current_revision_id,
            answers=submission.answers,
            score_percentage=grading.score_percentage,
            is_passed=grading.is_passed,
            submitted_at=now,
        )
        await attempts.add(attempt)
        best = max(float(grading.score_percentage), _best(enrollment, lesson.id) or 0)
        enrollment.quiz_scores = (enrollment.quiz_scores or {}) | {str(lesson.id): best}
        visit(enrollment, lesson, now=now)
        await self._publisher.publish(session, Event.of(_graded(enrollment, course, lesson, attempt), time=now))
        if grading.is_passed:
            enrollment.completed_quizzes = sorted({*(enrollment.completed_quizzes or []), lesson.id})
            await complete_lesson(session, enrollment, course, lesson, self._publisher, now=now)
        else:
            await evaluate(session, enrollment, course, self._publisher, now=now)
        await session.flush()
        return attempt

    async def _definition(self, lesson: Lesson) -> QuizDefinition:
        return get_definition(lesson.id, await self._revisions.get_body(lesson.current_revision_id))


def get_definition(lesson_id: int, body: Body) -> QuizDefinition:
    """Return the quiz that a body holds. Raises `QuizNotReadyError` if it was written before quizzes had a form."""
    try:
        return QuizDefinition.model_validate(body)
    except ValidationError:
        raise QuizNotReadyError(lesson_id) from None


def _quiz(found: SeenLesson) -> SeenLesson:
    if found.lesson.kind != LessonKind.QUIZ:
        raise NotAQuizError(found.lesson.id)
    return found


async def _check_attempts_left(
    session: AsyncSession, enrollment: Enrollment, lesson_id: int, quiz: QuizDefinition
) -> None:
    if quiz.max_attempts is None:
        return
    used = await AttemptRepository(session).count(enrollment_id=enrollment.id, lesson_id=lesson_id)
    if used >= quiz.max_attempts:
        raise NoAttemptsLeftError(lesson_id, max_attempts=quiz.max_attempts)


def _graded(enrollment: Enrollment, course: Course, lesson: Lesson, attempt: QuizAttempt) -> QuizGraded:
    return QuizGraded(
        enrollment_id=enrollment.id,
        student_id=enrollment.student_id,
        course_id=course.id,
        lesson_id=lesson.id,
        course_title=course.title,
        quiz_title=lesson.title,
        attempt=attempt.number,
        score_percentage=attempt.score_percentage,
        is_passed=attempt.is_passed,
    )


def _result(enrollment: Enrollment, attempt: QuizAttempt, quiz: QuizDefinition, grading: Grading) -> QuizResult:
    has_passed = attempt.lesson_id in (enrollment.completed_quizzes or [])
    shows_answers = quiz.show_answers is ShowAnswers.AFTER_ATTEMPT or (
        quiz.show_answers is ShowAnswers.AFTER_PASS and has_passed
    )
    return QuizResult(
        attempt_id=attempt.id,
        quiz_id=attempt.lesson_id,
        number=attempt.number,
        score_percentage=attempt.score_percentage,
        is_passed=attempt.is_passed,
        submitted_at=attempt.submitted_at,
        best_score=_best(enrollment, attempt.lesson_id) or 0,
        attempts_left=_left(quiz, attempt.number),
        results=[
            QuestionResult(
                question_id=each.question.id,
                is_correct=each.is_correct,
                points_earned=float(each.points_earned),
                points=float(each.question.points),
                correct_answer=correct_answer(each.question) if shows_answers else None,
                explanation=each.question.explanation if shows_answers else None,
            )
            for each in grading.questions
        ],
        completion_percentage=enrollment.completion_percentage or 0,
    )


def _best(enrollment: Enrollment | None, lesson_id: int) -> float | None:
    scores = enrollment.quiz_scores if enrollment is not None else None
    return (scores or {}).get(str(lesson_id))


def _left(quiz: QuizDefinition, used: int) -> int | None:
    return None if quiz.max_attempts is None else max(quiz.max_attempts - used, 0)
