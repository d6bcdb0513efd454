"""What course-service publishes about courses."""

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from shared.events.envelope import EventData, EventType


class CourseEvent(EventData):
    """What all events of courses say."""

    course_id: int = Field(description="Id of the row in `courses`", ge=1)
    slug: str
    title: str
    instructor_id: int = Field(description="Id of the owner's row in `users`", ge=1)

    def subject(self) -> str:
        return f"courses/{self.course_id}"


class CourseCreated(CourseEvent):
    """A draft was begun."""

    event_type: ClassVar[EventType] = EventType(name="course.created", version=1, service="course")


class CourseUpdated(CourseEvent):
    """What an author sets about a course was changed; `title` and the others are as they are now."""

    event_type: ClassVar[EventType] = EventType(name="course.updated", version=1, service="course")


class CoursePublished(CourseEvent):
    """A course became visible to everybody."""

    event_type: ClassVar[EventType] = EventType(name="course.published", version=1, service="course")

    published_at: datetime


class CourseArchived(CourseEvent):
    """A course left the catalogue."""

    event_type: ClassVar[EventType] = EventType(name="course.archived", version=1, service="course")

    archived_at: datetime
