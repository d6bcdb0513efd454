"""Making certificates' files, outside of any request."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import suppress

import structlog

from course_service.core import metrics
from course_service.printing.facts import CertificateFacts
from course_service.printing.printer import Printer
from course_service.repositories.certificate import CHANNEL, CertificateCard, CertificateRepository
from course_service.repositories.file import FileRepository, StoredFile
from course_service.services.certificate import verification_url
from shared.database import Database
from shared.events.backoff import backoff_seconds
from shared.events.cancellation import is_cancelled
from shared.events.wakeup import Wakeup
from shared.exceptions.base import UnavailableError
from shared.utils.datetime import Clock

CLAIM_SECONDS = 60
"""Longer than printing and storing one file take; a killed process's claim is anybody's afterwards."""

POLL_SECONDS = 2.0
FIRST_BACKOFF_SECONDS = 2.0
LONGEST_BACKOFF_SECONDS = 300.0
PDF = "application/pdf"

_log = structlog.get_logger(__name__)


class CertificateMaker:
    """Makes the files that certificates still lack; any number of processes may do so at the same time.

    A certificate is claimed in a short transaction, its file printed and stored outside of any, and then referred to,
    unless another process was faster. Whatever ends in between is done again when the claim has run out; a file that
    nothing came to refer to is collected (`FileCollector`).
    """

    def __init__(
        self, database: Database, files: FileRepository, printer: Printer, clock: Clock, *, public_url: str
    ) -> None:
        self._database = database
        self._files = files
        self._printer = printer
        self._clock = clock
        self._public_url = public_url
        self._wakeup = Wakeup(database.engine, CHANNEL)

    async def run(self) -> None:
        """Make files until cancelled."""
        try:
            while not is_cancelled():
                await self._wakeup.listen()
                is_busy = await self.make_next()
                await self._observe()
                if not is_busy:
                    await self._printer.rest()
                    await self._wakeup.wait(POLL_SECONDS)
        finally:
            await self._printer.rest()
            await self._wakeup.aclose()

    async def make_next(self) -> bool:
        """Make the file that has been due longest, or try to; False if none is due."""
        began = time.monotonic()
        async with self._database.begin() as session:
            card = await CertificateRepository(session).claim_due(seconds=CLAIM_SECONDS)
        if card is None:
            return False
        try:
            await self._make(card)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is tried again, and others are made meanwhile
            await self._postpone(card, error)
        else:
            metrics.CERTIFICATE_SECONDS.observe(time.monotonic() - began)
        return True

    async def _make(self, card: CertificateCard) -> None:
        stored = await self._files.add(
            self._printed(card),
            filename=f"{card.certificate.certificate_number}.pdf",
            content_type=PDF,
            at=self._clock.now(),
        )
        await self._refer(card, stored)

    async def _printed(self, card: CertificateCard) -> AsyncIterator[bytes]:
        """Print when the file is asked for: not before its store has proved to be there."""
        yield await self._printer.print(_facts(card, self._public_url))

    async def _refer(self, card: CertificateCard, stored: StoredFile) -> None:
        id_ = card.certificate.id
        async with self._database.begin() as session:
            is_ours = await CertificateRepository(session).point_to(
                id_, file_id=stored.id, url=f"/api/certificates/{id_}/pdf"
            )
        if is_ours:
            metrics.CERTIFICATES_MADE.inc()
            with suppress(UnavailableError):  # it is made; the collector settles what is not settled here
                await self._files.settle(stored.id)
        else:
            await self._files.delete(stored.id)

    async def _postpone(self, card: CertificateCard, error: Exception) -> None:
        metrics.CERTIFICATES_FAILED.inc()
        attempts = card.certificate.file_attempts
        seconds = backoff_seconds(
            attempts, first_seconds=FIRST_BACKOFF_SECONDS, longest_seconds=LONGEST_BACKOFF_SECONDS
        )
        _log.warning(
            "certificate's file not made, trying again",
            certificate_id=card.certificate.id,
            attempts=attempts,
            pause_seconds=round(seconds, 1),
            error=f"{type(error).__name__}: {error}",
        )
        async with self._database.begin() as session:
            await CertificateRepository(session).postpone(card.certificate.id, seconds=seconds)

    async def _observe(self) -> None:
        async with self._database.read() as session:
            backlog = await CertificateRepository(session).backlog()
        metrics.CERTIFICATES_PENDING.set(backlog.count)
        metrics.CERTIFICATES_OLDEST_SECONDS.set(backlog.oldest_seconds)


def _facts(card: CertificateCard, public_url: str) -> CertificateFacts:
    certificate = card.certificate
    return CertificateFacts(
        learner_name=card.student_name,
        course_title=card.course_title,
        language=card.course_language,
        issue_date=certificate.issue_date.isoformat(),
        certificate_number=certificate.certificate_number,
        grade=certificate.grade or "",
        score_percentage=None if certificate.score_percentage is None else f"{certificate.score_percentage:.2f}",
        verification_url=verification_url(public_url, certificate.verification_code),
    )
