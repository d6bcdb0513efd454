"""Every event that one service publishes and another may consume. A new payload class is added here."""

from shared.events.certificate import CertificateIssued, CertificateRestored, CertificateRevoked
from shared.events.course import CourseArchived, CourseCreated, CoursePublished, CourseUpdated
from shared.events.enrollment import (
    EnrollmentCompleted,
    EnrollmentCreated,
    EnrollmentDropped,
    EnrollmentReinstated,
    EnrollmentSuspended,
)
from shared.events.envelope import EventData
from shared.events.progress import LessonCompleted, QuizGraded
from shared.events.user import UserAnonymised, UserDeactivated, UserReactivated, UserRegistered, UserRoleChanged

EVENTS: tuple[type[EventData], ...] = (
    UserRegistered,
    UserRoleChanged,
    UserDeactivated,
    UserReactivated,
    UserAnonymised,
    CourseCreated,
    CourseUpdated,
    CoursePublished,
    CourseArchived,
    EnrollmentCreated,
    EnrollmentDropped,
    EnrollmentSuspended,
    EnrollmentReinstated,
    EnrollmentCompleted,
    LessonCompleted,
    QuizGraded,
    CertificateIssued,
    CertificateRevoked,
    CertificateRestored,
)
