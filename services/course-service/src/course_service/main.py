"""Puts course-service together: `course_service.main:app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from fastapi import FastAPI

from course_service.api.router import DESCRIPTION, ROUTERS, TITLE
from course_service.config import Settings
from course_service.core.mongodb import MongoDB
from course_service.events.producer import OutboxPublisher
from course_service.printing.printer import Printer
from course_service.repositories.file import FileRepository
from course_service.repositories.revision import RevisionRepository
from course_service.services.attachment import AttachmentService
from course_service.services.certificate import CertificateService
from course_service.services.certificate_file import CertificateMaker
from course_service.services.course import CourseService
from course_service.services.enrollment import EnrollmentService
from course_service.services.lesson import LessonService
from course_service.services.module import ModuleService
from course_service.services.orphan_collector import FileCollector, RevisionCollector
from course_service.services.progress import ProgressService
from course_service.services.quiz import QuizService
from shared.app import create_app
from shared.config.settings import load
from shared.database import Database
from shared.events.brokers import make_broker
from shared.events.relay import OutboxRelay
from shared.idempotency.store import IdempotencyStore
from shared.utils.datetime import Clock, SystemClock


def build(settings: Settings, *, clock: Clock | None = None) -> FastAPI:
    """Return the service over the datastores that `settings` name; it connects when it is first used."""
    clock = clock or SystemClock()
    database = Database(settings, application_name=settings.service_name)
    mongodb = MongoDB(settings.mongodb_url.get_secret_value())
    broker = make_broker(settings)
    files, revisions = FileRepository(mongodb), RevisionRepository(mongodb)
    maker = CertificateMaker(database, files, Printer(), clock, public_url=settings.public_url)
    collectors = [FileCollector(database, files, clock), RevisionCollector(database, revisions, clock)]
    relay = OutboxRelay(engine=database.engine, broker=broker, service="course")

    @asynccontextmanager
    async def connections(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await broker.aclose()
            await mongodb.close()

    app = create_app(
        settings,
        title=TITLE,
        description=DESCRIPTION,
        routers=ROUTERS,
        checks={"mongodb": mongodb.ping},
        database=database,
        idempotency=IdempotencyStore(database, "course", clock=clock),
        tasks=[relay.run, maker.run, *(collector.run for collector in collectors)],
        lifespan=connections,
        clock=clock,
    )
    publisher = OutboxPublisher()
    app.state.courses = CourseService(database, publisher, clock)
    app.state.modules = ModuleService(database, clock)
    app.state.lessons = LessonService(database, revisions, clock)
    app.state.enrollments = EnrollmentService(database, publisher, clock)
    app.state.progress = ProgressService(database, publisher, clock)
    app.state.quizzes = QuizService(database, revisions, publisher, clock)
    app.state.certificates = CertificateService(database, publisher, clock, public_url=settings.public_url)
    app.state.files = files
    app.state.attachments = AttachmentService(database, files, clock, max_bytes=settings.max_attachment_bytes)
    return app


@cache
def _app() -> FastAPI:
    return build(load(Settings))


def __getattr__(name: str) -> FastAPI:
    """Make `app` when a server asks for it, so that importing this module needs no settings."""
    if name == "app":
        return _app()
    raise AttributeError(name)
