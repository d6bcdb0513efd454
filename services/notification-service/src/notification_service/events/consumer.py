"""Which events this service consumes, and what each of them causes."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from notification_service.schemas.notification import NotificationType
from notification_service.services.announcing import Announcements, Forgetting
from shared.database import WriteSession
from shared.events.certificate import CertificateEvent, CertificateIssued, CertificateRestored, CertificateRevoked
from shared.events.enrollment import (
    EnrollmentCompleted,
    EnrollmentCreated,
    EnrollmentEvent,
    EnrollmentReinstated,
    EnrollmentSuspended,
)
from shared.events.envelope import Event, EventData
from shared.events.handling import Handler
from shared.events.progress import ProgressEvent, QuizGraded
from shared.events.user import UserAnonymised, UserEvent, UserReactivated, UserRegistered, UserRoleChanged

SERVICE = "notification"
"""The name of the consumer group and of the tables of processed events and dead letters."""

Facts = Mapping[str, object]
DataT = TypeVar("DataT", bound=EventData)


def handlers(announcements: Announcements, forgetting: Forgetting) -> Sequence[Handler[Any]]:
    """Everything that people are told, and the forgetting of people."""

    def tells(payload: type[DataT], kind: NotificationType, facts: Callable[[DataT], Facts] = _facts) -> Handler[DataT]:
        async def handle(session: WriteSession, event: Event[DataT]) -> None:
            await announcements.tell(
                session, event_id=event.id, user_id=_concerned(event.data), kind=kind, facts=facts(event.data)
            )

        return Handler(payload, handle)

    async def forget(session: WriteSession, event: Event[UserAnonymised]) -> None:
        await forgetting.forget(session, user_id=event.data.user_id)

    return [
        tells(UserRegistered, NotificationType.WELCOME),
        tells(UserRoleChanged, NotificationType.ROLE_CHANGED),
        tells(UserReactivated, NotificationType.ACCOUNT_REACTIVATED),
        Handler(UserAnonymised, forget),
        tells(EnrollmentCreated, NotificationType.ENROLLED),
        tells(EnrollmentSuspended, NotificationType.ENROLLMENT_SUSPENDED),
        tells(EnrollmentReinstated, NotificationType.ENROLLMENT_REINSTATED),
        tells(EnrollmentCompleted, NotificationType.COURSE_COMPLETED),
        tells(QuizGraded, NotificationType.QUIZ_GRADED, _quiz_facts),
        tells(CertificateIssued, NotificationType.CERTIFICATE_ISSUED),
        tells(CertificateRevoked, NotificationType.CERTIFICATE_REVOKED),
        tells(CertificateRestored, NotificationType.CERTIFICATE_RESTORED),
    ]


def _concerned(data: EventData) -> int:
    """Whom an event is about."""
    match data:
        case UserEvent():
            return data.user_id
        case EnrollmentEvent() | ProgressEvent() | CertificateEvent():
            return data.student_id
    raise TypeError(f"{type(data).__name__} is about nobody")


def _facts(data: EventData) -> Facts:
    return data.model_dump()


def _quiz_facts(data: QuizGraded) -> Facts:
    outcome = "passed" if data.is_passed else "not passed"
    return data.model_dump() | {"outcome": outcome, "score": _plain(data.score_percentage)}


def _plain(number: Decimal) -> str:
    """Without zeros at the end: 85.50 is 85.5, 100.00 is 100."""
    return f"{number.normalize():f}"
