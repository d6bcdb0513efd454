"""Certificates as JSON."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from course_service.schemas.enrollment import Reason
from course_service.schemas.text import Percentage
from shared.schemas.base import Schema


class CertificateDetail(Schema):
    """A certificate as its student, its course's instructor and admins see it."""

    id: int
    certificate_number: str = Field(examples=["SC-2026-000042-8I"])
    verification_code: str
    verification_url: str = Field(description="Public; tells whether the certificate is valid")
    enrollment_id: int
    student_id: int
    student_name: str
    course_id: int
    course_title: str
    issue_date: date
    grade: str = Field(description="From the mean of the best scores at required quizzes: A ≥ 90, B ≥ 80, C ≥ 70, Pass")
    score_percentage: Percentage | None = Field(description="That mean; null if the course has no such quiz")
    issued_by_id: int | None = Field(description="Who asked for it on the student's behalf")
    certificate_url: str | None = Field(description="Where its PDF is; null while that is being made")
    is_revoked: bool
    revoked_at: datetime | None
    revoked_reason: str | None


class Revocation(Schema):
    """Why a certificate is no longer valid; whoever verifies it reads this."""

    reason: Reason


class Verification(Schema):
    """What anybody who has a certificate's verification code may know of it."""

    is_valid: bool
    certificate_number: str
    student_name: str
    course_title: str
    issue_date: date
    grade: str
    revoked_at: datetime | None
    revoked_reason: str | None
