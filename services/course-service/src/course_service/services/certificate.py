"""Giving certificates, revoking and verifying them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core.certificate import CODE, certificate_number, grade_of, verification_code
from course_service.core.errors import (
    CourseNotCompletedError,
    EnrollmentNotOpenError,
    EnrollmentSuspendedError,
    NoSuchCertificateError,
    UnknownCodeError,
)
from course_service.core.progress import Standing
from course_service.core.publisher import EventPublisher
from course_service.core.visibility import may_see_enrollment
from course_service.models import Certificate, Enrollment, EnrollmentStatus
from course_service.repositories.certificate import CertificateCard, CertificateRepository, of_student
from course_service.repositories.course import CourseRepository
from course_service.schemas.certificate import CertificateDetail, Verification
from course_service.services.gate import get_enrollment
from course_service.services.progress import evaluate
from shared.database import Database
from shared.events.certificate import CertificateIssued, CertificateRestored, CertificateRevoked
from shared.events.envelope import Event
from shared.identity import Identity, UserIdentity
from shared.schemas.pagination import Page, PageQuery, paginate
from shared.utils.datetime import Clock

VERIFY_PATH = "/api/certificates/verify/"
CARD_FIELDS = ("student_id", "student_name", "course_id", "course_title")
OWN_FIELDS = (CertificateDetail.model_fields.keys() & Certificate.__table__.columns.keys()) - {"is_revoked"}


class CertificateService:
    """The use cases of certificates; each is one transaction. Their files are `CertificateMaker`'s business."""

    def __init__(self, database: Database, publisher: EventPublisher, clock: Clock, *, public_url: str) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._public_url = public_url

    async def issue(self, viewer: UserIdentity, enrollment_id: int) -> tuple[CertificateDetail, bool]:
        """Return the enrollment's certificate, and whether it is new. Once given it stays the only one.

        Raises:
            NoSuchEnrollmentError
            EnrollmentSuspendedError: a suspended student gets none; one that was given stays.
            CourseNotCompletedError: lessons that are required now are still to do.
            EnrollmentNotOpenError: none is, but the enrollment was dropped, or is not paid for.
        """
        async with self._database.begin() as session:
            enrollment = await get_enrollment(session, viewer, enrollment_id, for_update=True)
            certificates = CertificateRepository(session)
            known = await certificates.find_of_enrollment(enrollment_id)
            if known is None:
                known = await self._issue(session, enrollment, viewer)
                return self._detail(await _get_card(certificates, known)), True
            return self._detail(await _get_card(certificates, known)), False

    async def get(self, viewer: UserIdentity, certificate_id: int) -> CertificateDetail:
        """Return a certificate. Raises `NoSuchCertificateError`, also where it is not the viewer's to see."""
        async with self._database.read() as session:
            return self._detail(await _get_visible(session, viewer, certificate_id))

    async def get_with_file(self, viewer: UserIdentity, certificate_id: int) -> tuple[CertificateDetail, str | None]:
        """Return a certificate like `get`, and its file's id if that is made."""
        async with self._database.read() as session:
            card = await _get_visible(session, viewer, certificate_id)
            return self._detail(card), card.certificate.file_id

    async def replace_file(self, certificate_id: int, file_id: str) -> None:
        """Have the file made anew: it is no longer where it was."""
        async with self._database.begin() as session:
            await CertificateRepository(session).forget_file(certificate_id, file_id=file_id)

    async def mine(self, student: UserIdentity, params: PageQuery) -> Page[CertificateDetail]:
        """Return a page of a person's certificates, the newest first."""
        async with self._database.read() as session:
            page = await paginate(session, of_student(student.user_id), params, scalars=False)
            return page.map(lambda row: self._detail(CertificateCard(*row)))

    async def verify(self, code: str) -> Verification:
        """Return what the certificate with that code is worth. Raises `UnknownCodeError`."""
        if CODE.fullmatch(code) is None:
            raise UnknownCodeError
        async with self._database.read() as session:
            card = await CertificateRepository(session).find_card_by_code(code)
        if card is None:
            raise UnknownCodeError
        detail = self._detail(card)
        shown = detail.model_dump(include=set(Verification.model_fields))
        return Verification(**shown, is_valid=not detail.is_revoked)

    async def revoke(self, certificate_id: int, reason: str) -> CertificateDetail:
        """Declare a certificate invalid; one that is keeps its date and reason. Raises `NoSuchCertificateError`."""
        now = self._clock.now()
        async with self._database.begin() as session:
            card = await _get_for_update(session, certificate_id)
            certificate = card.certificate
            if not certificate.is_revoked:
                certificate.is_revoked, certificate.revoked_at, certificate.revoked_reason = True, now, reason
                revoked = CertificateRevoked(**_facts(card), revoked_at=now, reason=reason)
                await self._publisher.publish(session, Event.of(revoked, time=now))
            return self._detail(card)

    async def restore(self, certificate_id: int) -> CertificateDetail:
        """Make a revoked certificate valid again; a valid one stays as it is. Raises `NoSuchCertificateError`."""
        now = self._clock.now()
        async with self._database.begin() as session:
            card = await _get_for_update(session, certificate_id)
            certificate = card.certificate
            if certificate.is_revoked:
                certificate.is_revoked, certificate.revoked_at, certificate.revoked_reason = False, None, None
                await self._publisher.publish(session, Event.of(CertificateRestored(**_facts(card)), time=now))
            return self._detail(card)

    async def _issue(self, session: AsyncSession, enrollment: Enrollment, viewer: UserIdentity) -> int:
        now = self._clock.now()
        if enrollment.status == EnrollmentStatus.SUSPENDED:
            raise EnrollmentSuspendedError(enrollment.id)
        course = await CourseRepository(session).get(enrollment.course_id)
        standing = await evaluate(session, enrollment, course, self._publisher, now=now)
        certificates = CertificateRepository(session)
        if enrollment.completed_at is None:
            raise await _not_completed(certificates, enrollment, standing)
        certificate = await _new_certificate(certificates, enrollment, standing, now)
        certificate.issued_by_id = viewer.user_id if viewer.user_id != enrollment.student_id else None
        await certificates.add(certificate)
        card = await _get_card(certificates, certificate.id)
        issued = CertificateIssued(**_facts(card), issue_date=certificate.issue_date)
        await self._publisher.publish(session, Event.of(issued, time=now))
        return certificate.id

    def _detail(self, card: CertificateCard) -> CertificateDetail:
        certificate = card.certificate
        return CertificateDetail(
            **{name: getattr(certificate, name) for name in OWN_FIELDS},
            **{name: getattr(card, name) for name in CARD_FIELDS},
            is_revoked=bool(certificate.is_revoked),
            verification_url=verification_url(self._public_url, certificate.verification_code),
        )


def verification_url(public_url: str, code: str) -> str:
    """Return the address that tells whether the certificate with that code is valid."""
    return f"{public_url}{VERIFY_PATH}{code}"


async def _new_certificate(
    certificates: CertificateRepository, enrollment: Enrollment, standing: Standing, now: datetime
) -> Certificate:
    required = [*standing.completed_lessons, *standing.missing_lessons]
    grade, score = grade_of(await certificates.best_scores(enrollment, required))
    id_ = await certificates.next_id()
    return Certificate(
        id=id_,
        enrollment_id=enrollment.id,
        certificate_number=certificate_number(id_, year=now.year),
        issue_date=now.date(),
        verification_code=verification_code(),
        grade=grade,
        score_percentage=score,
        is_revoked=False,
        created_at=now,
    )


async def _not_completed(
    certificates: CertificateRepository, enrollment: Enrollment, standing: Standing
) -> CourseNotCompletedError | EnrollmentNotOpenError:
    if standing.is_complete:
        remedy = f"is not paid for (its payment is {enrollment.payment_status}): ask again when it is"
        if enrollment.status == EnrollmentStatus.DROPPED:
            remedy = "was dropped: enroll again, then ask again"
        return EnrollmentNotOpenError(enrollment.id, course_id=enrollment.course_id, remedy=remedy)
    missing = await certificates.titles(standing.missing_lessons)
    return CourseNotCompletedError(enrollment.course_id, percentage=float(standing.percentage), missing=missing)


async def _get_card(certificates: CertificateRepository, certificate_id: int) -> CertificateCard:
    card = await certificates.find_card(certificate_id)
    if card is None:
        raise NoSuchCertificateError(certificate_id)
    return card


async def _get_visible(session: AsyncSession, viewer: Identity, certificate_id: int) -> CertificateCard:
    card = await _get_card(CertificateRepository(session), certificate_id)
    if not may_see_enrollment(viewer, student_id=card.student_id, instructor_id=card.instructor_id):
        raise NoSuchCertificateError(certificate_id)
    return card


async def _get_for_update(session: AsyncSession, certificate_id: int) -> CertificateCard:
    card = await CertificateRepository(session).find_card_for_update(certificate_id)
    if card is None:
        raise NoSuchCertificateError(certificate_id)
    return card


def _facts(card: CertificateCard) -> dict[str, Any]:
    return {
        "certificate_id": card.certificate.id,
        "enrollment_id": card.certificate.enrollment_id,
        "student_id": card.student_id,
        "course_id": card.course_id,
        "course_title": card.course_title,
        "certificate_number": card.certificate.certificate_number,
    }
