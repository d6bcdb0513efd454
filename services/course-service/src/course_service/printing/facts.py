"""What is printed. Whoever only hands it over need not load what prints."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What is printed; `language` is the BCP 47 tag of the course's, `issue_date` is in ISO 8601."""

    learner_name: str
    course_title: str
    language: str | None
    issue_date: str
    certificate_number: str
    grade: str
    score_percentage: str | None
    verification_url: str
