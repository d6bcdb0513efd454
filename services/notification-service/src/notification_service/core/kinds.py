"""Each kind of notification: what it says, and how it reaches people who have not chosen otherwise.

Texts never hold a person's name or address, so that nothing in them has to be forgotten; a mail greets by the name
that is current when it is sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from notification_service.schemas.delivery import Channel
from notification_service.schemas.notification import NotificationType

ALL = frozenset(Channel)
WITHOUT_PUSH = frozenset({Channel.IN_APP, Channel.EMAIL})
IN_APP_ONLY = frozenset({Channel.IN_APP})


@dataclass(frozen=True, slots=True)
class Kind:
    """``title``, ``body`` and ``link`` are templates of ``str.format``; ``action`` is what a mail's button says.
    ``defaults`` are the channels that are on until a person chooses; ``locked`` are on whatever a person chooses."""

    title: str
    body: str
    link: str
    action: str
    defaults: frozenset[Channel]
    locked: frozenset[Channel] = frozenset()


KINDS: Mapping[NotificationType, Kind] = {
    NotificationType.WELCOME: Kind(
        title="Welcome to SmartCourse",
        body="Your account is ready. Choose your first course in the catalogue.",
        link="/api/courses",
        action="See the catalogue",
        defaults=WITHOUT_PUSH,
    ),
    NotificationType.ROLE_CHANGED: Kind(
        title="Your role is now {role}",
        body="An administrator changed your role from {previous_role} to {role}. "
        "Log in again; if you did not expect this, ask your administrator.",
        link="/api/auth/me",
        action="See your account",
        defaults=ALL,
        locked=IN_APP_ONLY,
    ),
    NotificationType.ACCOUNT_REACTIVATED: Kind(
        title="Your account is open again",
        body="An administrator opened your account again. You can log in as before.",
        link="/api/auth/me",
        action="See your account",
        defaults=WITHOUT_PUSH,
        locked=IN_APP_ONLY,
    ),
    NotificationType.ENROLLED: Kind(
        title="You are enrolled in {course_title}",
        body="Your place in {course_title} is confirmed. You can begin with the first lesson at once.",
        link="/api/enrollments/{enrollment_id}",
        action="Begin the course",
        defaults=WITHOUT_PUSH,
    ),
    NotificationType.ENROLLMENT_SUSPENDED: Kind(
        title="Your access to {course_title} is suspended",
        body="An administrator suspended your access to {course_title}. Your progress is kept. Reason: {reason}",
        link="/api/enrollments/{enrollment_id}",
        action="See your enrollment",
        defaults=ALL,
        locked=IN_APP_ONLY,
    ),
    NotificationType.ENROLLMENT_REINSTATED: Kind(
        title="You have access to {course_title} again",
        body="Your suspension from {course_title} has ended. You can go on where you stopped.",
        link="/api/enrollments/{enrollment_id}",
        action="Go on learning",
        defaults=ALL,
    ),
    NotificationType.COURSE_COMPLETED: Kind(
        title="You have completed {course_title}",
        body="Congratulations! You have completed all that {course_title} requires. You can now ask for a certificate.",
        link="/api/enrollments/{enrollment_id}",
        action="See your enrollment",
        defaults=ALL,
    ),
    NotificationType.QUIZ_GRADED: Kind(
        title="{quiz_title}: {outcome}",
        body="Attempt {attempt} at {quiz_title} in {course_title} scored {score} %: {outcome}.",
        link="/api/enrollments/{enrollment_id}/progress",
        action="See your progress",
        defaults=IN_APP_ONLY,
    ),
    NotificationType.CERTIFICATE_ISSUED: Kind(
        title="Your certificate for {course_title}",
        body="Certificate {certificate_number} for {course_title} has been issued to you.",
        link="/api/certificates/{certificate_id}",
        action="See the certificate",
        defaults=ALL,
    ),
    NotificationType.CERTIFICATE_REVOKED: Kind(
        title="Your certificate for {course_title} was revoked",
        body="Certificate {certificate_number} for {course_title} is no longer valid. Reason: {reason}",
        link="/api/certificates/{certificate_id}",
        action="See the certificate",
        defaults=ALL,
        locked=IN_APP_ONLY,
    ),
    NotificationType.CERTIFICATE_RESTORED: Kind(
        title="Your certificate for {course_title} is valid again",
        body="Certificate {certificate_number} for {course_title} was restored; whoever verifies it sees it as valid.",
        link="/api/certificates/{certificate_id}",
        action="See the certificate",
        defaults=ALL,
    ),
}
