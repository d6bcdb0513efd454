"""What course-service publishes about certificates."""

from datetime import date, datetime
from typing import ClassVar

from pydantic import Field

from shared.events.envelope import EventData, EventType


class CertificateEvent(EventData):
    """What all events of certificates say."""

    certificate_id: int = Field(description="Id of the row in `certificates`", ge=1)
    enrollment_id: int = Field(ge=1)
    student_id: int = Field(ge=1)
    course_id: int = Field(ge=1)
    course_title: str
    certificate_number: str

    def subject(self) -> str:
        return f"certificates/{self.certificate_id}"


class CertificateIssued(CertificateEvent):
    """A student was given a certificate. Said once for an enrollment."""

    event_type: ClassVar[EventType] = EventType(name="certificate.issued", version=1, service="course")

    issue_date: date


class CertificateRevoked(CertificateEvent):
    """An administrator declared a certificate invalid."""

    event_type: ClassVar[EventType] = EventType(name="certificate.revoked", version=1, service="course")

    revoked_at: datetime
    reason: str


class CertificateRestored(CertificateEvent):
    """An administrator made a revoked certificate valid again."""

    event_type: ClassVar[EventType] = EventType(name="certificate.restored", version=1, service="course")
