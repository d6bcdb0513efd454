"""The tables that course-service owns, and the one it only reads."""

from course_service.models.certificate import Certificate
from course_service.models.course import Course
from course_service.models.enrollment import Enrollment, EnrollmentStatus, PaymentStatus, WaitlistEntry
from course_service.models.lesson import Lesson
from course_service.models.module import Module
from course_service.models.outbox import OUTBOX_TABLES
from course_service.models.user import users

__all__ = [
    "OUTBOX_TABLES",
    "Certificate",
    "Course",
    "Enrollment",
    "EnrollmentStatus",
    "Lesson",
    "Module",
    "PaymentStatus",
    "WaitlistEntry",
    "users",
]
