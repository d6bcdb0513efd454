"""What course-service publishes about learning."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from pydantic import Field

from shared.events.envelope import EventData, EventType


class ProgressEvent(EventData):
    """What all events of learning say."""

    enrollment_id: int = Field(ge=1)
    student_id: int = Field(ge=1)
    course_id: int = Field(ge=1)
    lesson_id: int = Field(ge=1)

    def subject(self) -> str:
        return f"enrollments/{self.enrollment_id}"


class LessonCompleted(ProgressEvent):
    """A lesson was completed for the first time."""

    event_type: ClassVar[EventType] = EventType(name="progress.lesson_completed", version=1, service="course")

    module_id: int = Field(ge=1)
    completed_at: datetime
    completion_percentage: Decimal = Field(description="Of the whole course afterwards, 0 to 100", ge=0, le=100)


class QuizGraded(ProgressEvent):
    """An attempt at a quiz was graded; `lesson_id` is the quiz."""

    event_type: ClassVar[EventType] = EventType(name="progress.quiz_graded", version=1, service="course")

    course_title: str
    quiz_title: str
    attempt: int = Field(description="Counted from 1", ge=1)
    score_percentage: Decimal = Field(ge=0, le=100)
    is_passed: bool
