"""What course-service publishes about enrollments."""

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from shared.events.envelope import EventData, EventType


class EnrollmentEvent(EventData):
    """What all events of enrollments say."""

    enrollment_id: int = Field(description="Id of the row in `enrollments`", ge=1)
    student_id: int = Field(description="Id of the student's row in `users`", ge=1)
    course_id: int = Field(ge=1)
    course_title: str

    def subject(self) -> str:
        return f"enrollments/{self.enrollment_id}"


class EnrollmentCreated(EnrollmentEvent):
    """A student enrolled, for the first time or again."""

    event_type: ClassVar[EventType] = EventType(name="enrollment.created", version=1, service="course")

    enrolled_at: datetime
    is_renewed: bool = Field(description="Whether the student had dropped the course before")


class EnrollmentDropped(EnrollmentEvent):
    """A student left a course; what was achieved is kept."""

    event_type: ClassVar[EventType] = EventType(name="enrollment.dropped", version=1, service="course")

    dropped_at: datetime


class EnrollmentSuspended(EnrollmentEvent):
    """An administrator took the access away for a time."""

    event_type: ClassVar[EventType] = EventType(name="enrollment.suspended", version=1, service="course")

    reason: str


class EnrollmentReinstated(EnrollmentEvent):
    """A suspension ended."""

    event_type: ClassVar[EventType] = EventType(name="enrollment.reinstated", version=1, service="course")


class EnrollmentCompleted(EnrollmentEvent):
    """A student has completed all that the course requires. Said once for an enrollment."""

    event_type: ClassVar[EventType] = EventType(name="enrollment.completed", version=1, service="course")

    completed_at: datetime
