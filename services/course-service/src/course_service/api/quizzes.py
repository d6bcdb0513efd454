"""Routes of quizzes. A quiz is a lesson of kind `quiz`, and has its id."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, status

from course_service.api.deps import LessonId, Quizzes
from course_service.schemas.quiz import QuizAttemptSummary, QuizDetail, QuizResult, QuizSubmission
from course_service.schemas.text import Id
from shared.access import access
from shared.identity import CurrentUser
from shared.openapi import problems
from shared.schemas.pagination import PageParams, PaginatedResponse

router = APIRouter(prefix="/api/quizzes/{lesson_id}", tags=["quizzes"])

EVERYBODY = access("authenticated")


@router.get("", responses=problems(403, 409), openapi_extra=EVERYBODY)
async def get_quiz(quizzes: Quizzes, viewer: CurrentUser, lesson_id: LessonId) -> QuizDetail:
    """The questions without their answers, and the caller's attempts and best score."""
    return await quizzes.get(viewer, lesson_id)


@router.get("/attempts", responses=problems(403), openapi_extra=EVERYBODY)
async def list_quiz_attempts(
    quizzes: Quizzes,
    viewer: CurrentUser,
    lesson_id: LessonId,
    params: PageParams,
    student_id: Annotated[
        Id | None, Query(description="Whose; another's are for the course's instructor and admins")
    ] = None,
) -> PaginatedResponse[QuizAttemptSummary]:
    """A student's attempts, the last first; the caller's own unless a student is named."""
    return PaginatedResponse[QuizAttemptSummary].of(await quizzes.attempts(viewer, lesson_id, student_id, params))


@router.post("/submit", status_code=status.HTTP_201_CREATED, responses=problems(403, 409), openapi_extra=EVERYBODY)
async def submit_quiz(
    quizzes: Quizzes, student: CurrentUser, lesson_id: LessonId, submission: QuizSubmission
) -> QuizResult:
    """Have the answers graded. Blanks earn nothing; the best score counts, and what is passed stays passed."""
    return await quizzes.submit(student, lesson_id, submission)
