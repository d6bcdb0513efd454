"""Bodies mean what they say: a number is not a word for yes, nor yes for a number."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from course_service.schemas.course import CourseCreate, CourseUpdate
from course_service.schemas.enrollment import EnrollmentCreate, LessonCompletion
from course_service.schemas.lesson import LessonCreate, LessonUpdate
from course_service.schemas.module import ModuleUpdate
from course_service.schemas.quiz import QuizSubmission

COURSE = {"title": "Letters", "description": "From A to Z."}
LESSON = {"title": "Read", "body": "a, b, c"}


@pytest.mark.parametrize(
    ("model", "document", "field"),
    [
        (CourseCreate, COURSE | {"capacity": True}, "capacity"),
        (CourseCreate, COURSE | {"capacity": "20"}, "capacity"),
        (EnrollmentCreate, {"course_id": True}, "course_id"),
        (LessonCompletion, {"time_spent_minutes": False}, "time_spent_minutes"),
        (LessonCreate, LESSON | {"is_published": 1}, "is_published"),
        (LessonCreate, LESSON | {"is_required": "no"}, "is_required"),
        (LessonCreate, LESSON | {"duration_minutes": "5"}, "duration_minutes"),
        (LessonUpdate, {"is_preview": "on"}, "is_preview"),
        (ModuleUpdate, {"position": True}, "position"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(
    model: type[BaseModel], document: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        model.model_validate(document)
    assert [error["loc"][0] for error in refusal.value.errors()] == [field]


@pytest.mark.parametrize(
    ("model", "document", "field"),
    [
        (CourseCreate, COURSE | {"price": 0}, "price"),
        (CourseUpdate, {"title": "Letters", "status": "published"}, "status"),
        (CourseUpdate, {"title": "Letters", "instructor_id": 1}, "instructor_id"),
        (LessonCreate, LESSON | {"course_id": 1}, "course_id"),
        (EnrollmentCreate, {"course_id": 1, "status": "completed"}, "status"),
        (EnrollmentCreate, {"course_id": 1, "payment_status": "completed"}, "payment_status"),
        (EnrollmentCreate, {"course_id": 1, "payment_amount": 0}, "payment_amount"),
        (LessonCompletion, {"completion_percentage": 100}, "completion_percentage"),
        (QuizSubmission, {"answers": {}, "score_percentage": 100}, "score_percentage"),
        (QuizSubmission, {"answers": {}, "grade": "A"}, "grade"),
    ],
)
def test_a_field_that_is_not_the_clients_to_set_is_refused_by_name(
    model: type[BaseModel], document: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        model.model_validate(document)
    assert [error["loc"][0] for error in refusal.value.errors()] == [field]
