"""The tables that course-service owns, and the one it only reads."""

from course_service.models.attachment import Attachment
from course_service.models.certificate import Certificate
from course_service.models.course import Course
from course_service.models.enrollment import Enrollment, WaitlistEntry
from course_service.models.idempotency import IDEMPOTENCY_KEYS
from course_service.models.lesson import Lesson
from course_service.models.module import Module
from course_service.models.outbox import OUTBOX_TABLES
from course_service.models.quiz import QuizAttempt
from course_service.models.user import users
from course_service.schemas.enrollment import EnrollmentStatus, PaymentStatus

__all__ = [
    "IDEMPOTENCY_KEYS",
    "OUTBOX_TABLES",
    "Attachment",
    "Certificate",
    "Course",
    "Enrollment",
    "EnrollmentStatus",
    "Lesson",
    "Module",
    "PaymentStatus",
    "QuizAttempt",
    "WaitlistEntry",
    "users",
]
